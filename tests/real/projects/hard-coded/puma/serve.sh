#!/bin/sh
exec puma "$@"
