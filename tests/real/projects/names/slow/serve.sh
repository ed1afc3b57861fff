#!/bin/sh
# Starts when somebody writes into `gate`, a named pipe; fails when that says so.
read -r word <gate
[ "$word" != fail ] || { echo 'the shop has no goods' >&2; exit 7; }
exec python3 server.py
