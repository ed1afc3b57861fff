#!/bin/sh
exec deno run --allow-net --allow-read serve.ts "$@"
