#!/usr/bin/env bash
# Has compose projects read by wharf and by the reference implementation: compose.sh PARTS WORK WHARF CASES. Called in a
# network of its own. Of a case `case.env` is the shell's environment, `case.files` the files and `case.profiles` the
# profiles that are asked for.
set -euo pipefail
parts=$1 work=$2 wharf=$3 cases=$4
export HOME=$work/home XDG_RUNTIME_DIR=$work/run
mkdir -p "$HOME" "$XDG_RUNTIME_DIR" "$work/read"
chmod 700 "$XDG_RUNTIME_DIR"
cp -r "$cases" "$work/cases"

lines() { if [ -f "$1" ]; then cat "$1"; fi; }

# Runs a reader in the folder and the environment of the case. What it refuses is empty, and has an exit code.
read_by() {
    local name=$1
    shift
    mapfile -t env < <(lines case.env)
    mapfile -t files < <(lines case.files)
    mapfile -t profiles < <(lines case.profiles | sed 's/^/--profile\n/')
    env ${env[@]+"${env[@]}"} "$@" ${profiles[@]+"${profiles[@]}"} ${files[@]+"${files[@]}"} \
        >"$work/read/$name.json" 2>"$work/read/$name.err" || {
        echo $? >"$work/read/$name.code"
        : >"$work/read/$name.json"
    }
}

for case in "$work"/cases/*/; do
    name=$(basename "$case")
    cd "$case"
    read_by "$name.wharf" "$wharf" import compose --json
    read_by "$name.docker" "$parts/handover/handover" ports
done

# Two checkouts of one project, each with an override. What docker compose makes of it is the judge's.
trap '"$wharf" daemon stop >"$work/stop.log" 2>&1 || true' EXIT
cp -r "$cases/../override" "$work/shop"
cd "$work/shop"
git init -q .
git add .
git -c user.name=x -c user.email=x@example.com commit -qm x
git worktree add -q "$work/feature" -b feature
for checkout in shop feature; do
    cd "$work/$checkout"
    "$wharf" export compose-override -o . 2>"$work/$checkout.err"
    "$parts/handover/handover" ports --profile debug >"$work/$checkout.json"
    "$wharf" import compose --json --profile debug >"$work/$checkout.own.json"
    # The same again: nothing changes.
    "$wharf" export compose-override --diff -o . >"$work/$checkout.diff"
done
