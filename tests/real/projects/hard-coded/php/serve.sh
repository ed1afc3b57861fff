#!/bin/sh
exec php -S "${1:-0.0.0.0}:8000"
