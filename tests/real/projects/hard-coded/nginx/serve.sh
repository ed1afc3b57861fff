#!/bin/sh
exec nginx -p . -c nginx.conf -e stderr -g "daemon off;"
