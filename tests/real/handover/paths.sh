#!/usr/bin/env bash
# Paths of every kind for each web server: paths.sh PARTS WORK WHARF PROJECT. Called in a network of its own.
set -euo pipefail
mkdir -p "$2/home"
exec python3 "$(dirname "${BASH_SOURCE[0]}")/paths.py" "$@"
