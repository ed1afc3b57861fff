#!/usr/bin/env bash
# Runs the real Traefik with what is exported for it, by its file provider (http and TLS) and by its Docker provider,
# and asks each the table of requests: traefik.sh PARTS WORK WHARF PROJECT. Called in a network of its own.
set -euo pipefail
parts=$1 work=$2 wharf=$3 project=$4
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export HOME=$work/home XDG_RUNTIME_DIR=$work/run
mkdir -p "$HOME/.pki/nssdb" "$XDG_RUNTIME_DIR"
chmod 700 "$XDG_RUNTIME_DIR"
cp -r "$project" "$work/project"
mkdir "$work/project/.git"
echo 'ref: refs/heads/main' >"$work/project/.git/HEAD"
cd "$work/project"
# Every character that need not be encoded; not each of the other web servers can say them all.
odd='/~a+b!$&(c)*,;=:@'
sed -i 's|"/api/"|"/api/", "/~a+b!$\&(c)*,;=:@"|' wharf.toml
trap '"$wharf" daemon stop >"$work/stop.log" 2>&1 || true' EXIT

# A store of this home's own, as a browser makes it; the machine's are left alone.
certutil -N --empty-password -d "sql:$HOME/.pki/nssdb"
"$wharf" trust --store nss >"$work/trust.log" 2>&1
"$wharf" up -d >"$work/up.log" 2>&1
ca=$(find "$HOME" -name ca.pem)

# A name for what comes of it, an address with its port, a CA for TLS: the table, and what the odd path leads to.
asked() {
    local name=$1 address=$2 ca=${3:-}
    python3 "$project/table.py" "$address" ${ca:+"$ca"} >"$work/$name.json"
    curl -sS -g --noproxy '*' ${ca:+--cacert "$ca"} --connect-to "::$address" \
        "http${ca:+s}://project.localhost$odd/below" >"$work/$name.odd.json"
}

own() {
    "$wharf" proxy status --json | python3 -c '
import json, sys
print("127.0.0.1", next(one["port"] for one in json.load(sys.stdin)["listeners"] if one["scheme"] == sys.argv[1]), sep=":")
' "$1"
}

asked own "$(own http)"
asked own--tls "$(own https)" "$ca"

# An address beside wharf's proxy, which has these ports of 127.0.0.1; a name; options. Asks once it leads to the project.
traefik() {
    local address=$1 name=$2 ca_of=
    shift 2
    case $name in *--tls) ca_of=$ca ;; esac
    "$parts/traefik/traefik" --entrypoints.wharf.address="$address" --log.level=INFO "$@" >"$work/$name.log" 2>&1 &
    curl -sS -f -o "$work/first" --retry 60 --retry-delay 1 --retry-max-time 60 --retry-all-errors --noproxy '*' \
        ${ca_of:+--cacert "$ca_of"} --connect-to "::$address" "http${ca_of:+s}://project.localhost/" 2>"$work/$name.curl"
    asked "$name" "$address" "$ca_of"
}

"$wharf" export traefik -o "$work/traefik.yml"
traefik 127.0.0.2:80 file --providers.file.filename="$work/traefik.yml"
"$wharf" export traefik --tls -o "$work/traefik--tls.yml"
traefik 127.0.0.2:443 file--tls --providers.file.filename="$work/traefik--tls.yml"

"$wharf" export compose -o "$work/compose.yaml"
"$parts/handover/handover" compose "$work/compose.yaml" >"$work/compose.json"
# The containers have the same ports, at addresses of their own.
"$wharf" down >"$work/down.log" 2>&1
python3 "$here/engine.py" "$work/engine" "$work/compose.json" "$work/project" >"$work/engine.log" 2>&1 &
traefik 127.0.0.3:80 docker --providers.docker.endpoint="unix://$work/engine" --providers.docker.exposedbydefault=false
