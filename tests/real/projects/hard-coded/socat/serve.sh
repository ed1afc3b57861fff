#!/bin/sh
# Without `reuseaddr` on purpose: natively it could not bind over a reservation.
exec socat "${1:-TCP4-LISTEN:8000,bind=127.0.0.1},fork" EXEC:'sh answer.sh'
