#!/bin/sh
exec python -m hypercorn --config "${1:-hypercorn.toml}" shop:app
