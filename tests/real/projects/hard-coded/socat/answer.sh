#!/bin/sh
# One request and one answer, over standard input and output.
while IFS= read -r line && [ "$line" != "$(printf '\r')" ]; do :; done
printf 'HTTP/1.1 200 OK\r\nContent-Length: %s\r\nConnection: close\r\n\r\n' "$(wc -c <identity.txt)"
cat identity.txt
