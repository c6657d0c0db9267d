#!/bin/sh
# Builds the stand-in k3s: build.sh OUTPUT_DIR [VERSION]. Needs python3 and nothing else.
set -eu
if [ $# -lt 1 ]; then
  echo "usage: $0 OUTPUT_DIR [VERSION]   (default version v1.33.1+k3s1)" >&2
  exit 2
fi
exec python3 "$(dirname "$0")/pack.py" "$1" "${2:-v1.33.1+k3s1}"
