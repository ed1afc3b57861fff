#!/bin/sh
exec granian --interface asgi --host "${1:-127.0.0.1}" --port 8000 --workers 2 shop:app
