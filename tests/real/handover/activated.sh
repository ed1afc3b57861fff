#!/usr/bin/env bash
# Starts servers with a socket as systemd does: activated.sh PARTS WORK WHARF PROJECT. Called in a network of its own.
set -euo pipefail
parts=$1 work=$2 wharf=$3 project=$4
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export HOME=$work/home XDG_RUNTIME_DIR=$work/run LC_ALL=C.UTF-8
export PATH=$parts/python/bin:$parts/hypercorn/bin:$PATH
unset "${!WHARF_@}"
mkdir -p "$HOME" "$XDG_RUNTIME_DIR"
chmod 700 "$XDG_RUNTIME_DIR"
cp -r "$project" "$work/project"
mkdir "$work/project/.git"
echo 'ref: refs/heads/main' >"$work/project/.git/HEAD"
cd "$work/project"
trap '"$wharf" daemon stop >"$work/stop.log" 2>&1 || true' EXIT
"$wharf" export systemd -o "$work/units/" >"$work/export.log" 2>&1
systemd-analyze --user verify "$work"/units/* >"$work/verify.log" 2>&1
[ ! -s "$work/verify.log" ] || { cat "$work/verify.log" >&2; exit 1; }
python3 "$here/../../../crates/wharf/tests/export/activated.py" "$work/units" >"$work/activated.json"
