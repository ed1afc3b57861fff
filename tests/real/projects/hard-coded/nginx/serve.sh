#!/bin/sh
exec nginx -p . -c "${1:-nginx.conf}" -e stderr -g "daemon off;"
