#!/bin/sh
exec python -m hypercorn --config hypercorn.toml shop:app
