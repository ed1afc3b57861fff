#!/bin/sh
exec php -S 0.0.0.0:8000
