#!/bin/sh
# One test: a server on $PORT answers with what only this test knows.
set -eu

site=$(mktemp -d)
echo "$1" >"$site/name"
mkfifo "$site/told"
python3 -u -m http.server --bind 127.0.0.1 --directory "$site" "$PORT" >"$site/told" 2>"$site/log" &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null || true; rm -rf "$site"' EXIT

# Its first line comes once it listens, or it ends without one.
if ! read -r line <"$site/told"; then
    cat "$site/log" >&2
    exit 1
fi
[ "$(curl --silent --fail "http://127.0.0.1:$PORT/name")" = "$1" ]
