#!/bin/sh
exec python -m gunicorn -c "${1:-gunicorn.conf.py}" shop:app
