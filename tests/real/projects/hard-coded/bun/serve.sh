#!/bin/sh
exec bun serve.ts "$@"
