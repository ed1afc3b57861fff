#!/bin/sh
exec python -m gunicorn shop:app
