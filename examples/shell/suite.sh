#!/bin/sh
# Sixteen tests at once, each with a server on a port of its own.
set -u
cd "$(dirname "$0")" || exit

tests=
for number in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
    wharf port -- ./one.sh "test $number" &
    tests="$tests $!"
done

passed=0
failed=0
for test in $tests; do
    if wait "$test"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
