#!/bin/sh
# Tests the stand-in on this machine: temporary directories, free ports, no root. About a minute and a half.
set -eu
cd "$(dirname "$0")/tests"
exec python3 -m unittest "${@:-discover}"
