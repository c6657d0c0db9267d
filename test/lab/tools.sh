#!/usr/bin/env bash
# Installs what the tests use besides a Docker engine: clients to check airlift's work with, and shells to try its scripts in.
# As root on Debian; elsewhere it does nothing, and suites that lack a tool say so. Quick where nothing is missing.
set -euo pipefail
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || exit 0
export DEBIAN_FRONTEND=noninteractive
missing=()
# By command, not by package: a host may have kubectl from elsewhere, and two packages cannot own one file.
while read -r command package; do
  PATH="$PATH:/usr/sbin:/sbin" command -v "$command" >/dev/null || missing+=("$package")
done <<'LIST'
skopeo skopeo
kubectl kubernetes-client
sshd openssh-server
ssh openssh-client
busybox busybox
dash dash
python3 python3
openssl openssl
zstd zstd
ip iproute2
LIST
[ ${#missing[@]} -gt 0 ] || exit 0
echo "tests: installing ${missing[*]}" >&2
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
