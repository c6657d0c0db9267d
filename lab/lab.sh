#!/usr/bin/env bash
set -euo pipefail
LAB_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for f in common engine; do . "$LAB_ROOT/lib/$f.sh"; done
c=$1; shift; "cmd_$c" "$@"
