#!/bin/sh
# Tests the stand-in on this machine: temporary directories, free ports, no root. About two minutes on two busy cores.
#   test.sh                                   everything, the two modules at once
#   test.sh -v test_etcd.Etcd.test_refusals   one test
set -eu
cd "$(dirname "$0")/tests"
if [ $# -gt 0 ]; then
  exec python3 -m unittest "$@"
fi
python3 -m unittest test_etcd &
etcd=$!
failed=0
python3 -m unittest test_single || failed=1
wait "$etcd" || failed=1
exit "$failed"
