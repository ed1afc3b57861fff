#!/usr/bin/env bash
# Has the files for editors, shells and runners of Procfiles read by the tools that they are for:
# tools.sh PARTS WORK WHARF PROJECT. Called in a network of its own.
set -euo pipefail
parts=$1 work=$2 wharf=$3 project=$4
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export HOME=$work/home XDG_RUNTIME_DIR=$work/run LC_ALL=C.UTF-8
unset "${!WHARF_@}"
mkdir -p "$HOME" "$XDG_RUNTIME_DIR"
chmod 700 "$XDG_RUNTIME_DIR"
cp -r "$project" "$work/project"
cp "$here/../../../crates/wharf/tests/export/server.py" "$work/project/"
mkdir "$work/project/.git" "$work/project/web it's \$x ünï"
echo 'ref: refs/heads/main' >"$work/project/.git/HEAD"
cd "$work/project"
trap '"$wharf" down >"$work/stop.log" 2>&1 || true; "$wharf" daemon stop >>"$work/stop.log" 2>&1 || true' EXIT
"$wharf" up -d >"$work/up.log" 2>&1
"$wharf" export systemd -o "$work/units/" >"$work/export.log" 2>&1
for format in procfile devcontainer vscode env direnv mise; do
    "$wharf" export "$format" -o ./ >>"$work/export.log" 2>&1
done
"$wharf" down >"$work/down.log" 2>&1

# Variables of the environment, or of a command, as JSON.
variables='import json, os; print(json.dumps({k: v for k, v in os.environ.items() if k.startswith("WHARF_")}))'
told() { "$@" python3 -c "$variables"; }

# ---- a .env file, as everybody reads it
venv=$parts/procfile/bin
(set -a && . ./.env && python3 -c "$variables") >"$work/env.sh.json"
"$venv/python" -c 'import dotenv, json; print(json.dumps(dotenv.dotenv_values(".env")))' >"$work/env.python-dotenv.json"
node -e 'const { parse } = require(process.argv[1]); console.log(JSON.stringify(parse(fs.readFileSync(".env"))))' \
    "$parts/editors/node_modules/dotenv" >"$work/env.dotenv.json"
"$parts/handover/handover" env .env >"$work/env.compose.json"
told "$venv/honcho" run >"$work/env.honcho.json"
told foreman run >"$work/env.foreman.json"

# ---- direnv and mise
direnv allow 2>"$work/direnv.log"
told direnv exec . >"$work/env.direnv.json" 2>>"$work/direnv.log"
mise=$parts/editors/node_modules/@jdxcode/mise-linux-x64/bin/mise
MISE_OFFLINE=1 MISE_TRUSTED_CONFIG_PATHS=$PWD "$mise" env --json >"$work/mise.json" 2>"$work/mise.log"
python3 -c 'import json, sys
print(json.dumps({k: v for k, v in json.load(sys.stdin).items() if k.startswith("WHARF_")}))' \
    <"$work/mise.json" >"$work/env.mise.json"

# ---- a Procfile: each runner gives the first server its base port, and the second one a hundred more
runs() {
    local name=$1 port=$2
    shift 2
    "$@" >"$work/$name.log" 2>&1 &
    curl -sS -f --retry 60 --retry-delay 1 --retry-max-time 60 --retry-all-errors --noproxy '*' \
        "http://127.0.0.1:$port/" >"$work/procfile.$name.json" 2>"$work/$name.curl"
    # The second one names its own port.
    curl -sS -f --retry 60 --retry-delay 1 --retry-max-time 60 --retry-all-errors --noproxy '*' \
        "http://127.0.0.1:8100/" >"$work/procfile.$name.api.json" 2>>"$work/$name.curl"
    kill "$!"
    wait "$!" || true
}
"$venv/honcho" check 2>"$work/honcho.check"
foreman check >"$work/foreman.check"
runs honcho 5000 "$venv/honcho" start --port 5000
runs foreman 6000 foreman start --port 6000

# ---- systemd's own user manager, which says what it has read and starts nothing; it does not do so for root
mkdir -m 700 "$work/manager"
XDG_RUNTIME_DIR=$work/manager SYSTEMD_UNIT_PATH=$work/units: SYSTEMD_LOG_TARGET=console SYSTEMD_LOG_LEVEL=debug \
    unshare --user --map-user=65534 --map-group=65534 \
    /lib/systemd/systemd --user --test --unit=project.target >"$work/systemd.log" 2>&1

# ---- Visual Studio Code, and the development container
node "$here/vscode.mjs" "$parts" "$PWD" >"$work/vscode.json"
devcontainer() { node "$parts/editors/node_modules/@devcontainers/cli/devcontainer.js" "$@" --workspace-folder .; }
# In Docker's place: what it is asked is written down; there are no containers, and there is no image to be had.
printf '#!/bin/sh\necho "$*" >>"%s"\n[ "$1" = ps ]\n' "$work/docker.asked" >"$work/docker"
chmod +x "$work/docker"
devcontainer read-configuration --docker-path "$work/docker" >"$work/devcontainer.json" 2>"$work/devcontainer.log"
devcontainer up --docker-path "$work/docker" >"$work/devcontainer.up" 2>&1 || true
