#!/usr/bin/env bash
# stop.sh with a time limit for each process, in seconds; 120 if none is given.
exec "$(dirname "$0")/stop.sh" "${1:-120}"
