#!/bin/sh
# Without `reuseaddr` on purpose: natively it could not bind over a reservation.
exec socat TCP-LISTEN:8000,bind=127.0.0.1,fork EXEC:'sh answer.sh'
