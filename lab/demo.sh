#!/usr/bin/env bash
# From a fresh clone to a running cluster: three lab hosts, a packaged rootfs, and the commands that a user types.
# Needs root on Debian with Node 20.19 or later, or a Docker engine anywhere. What it starts stays up: lab/lab.sh down --name demo
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf '\n\033[1m$ %s\033[0m\n' "$*" >&2; }
run() { say "$@"; "$@"; }
work=${AIRLIFT_DEMO_DIR:-/var/tmp/airlift-demo}
mkdir -p "$work"

command -v node >/dev/null || { echo "demo: Node 20.19 or later is needed (https://nodejs.org)" >&2; exit 1; }
[ -x node_modules/.bin/tsc ] && [ -f dist/bin/main.cjs ] || run npm ci --no-audit --no-fund
airlift() { node bin/airlift.js "$@"; }

run lab/lab.sh up 3 --name demo >"$work/lab.json"
key=$(node -p 'JSON.parse(require("fs").readFileSync(process.argv[1])).key' "$work/lab.json")
known=$(node -p 'JSON.parse(require("fs").readFileSync(process.argv[1])).knownHosts' "$work/lab.json")
hosts=$(node -p 'JSON.parse(require("fs").readFileSync(process.argv[1])).hosts.map(h => "root@" + h.ip).join(" ")' "$work/lab.json")
read -r master worker1 worker2 <<<"$hosts"

# A real k3s, where there is one: named by the environment, or downloaded once. Else the stand-in, which says what it is.
version=${AIRLIFT_K3S_VERSION:-v1.33.5+k3s1}
bundle=$work/k3s.airlift
if [ -n "${AIRLIFT_K3S:-}" ]; then
  version=$("$AIRLIFT_K3S" --version | grep -oE 'v[0-9]+\.[0-9]+\.[0-9]+[^ ]*' | head -n 1)
  run airlift rootfs build --runtime k3s --version "$version" --binary "$AIRLIFT_K3S" --images "${AIRLIFT_K3S_IMAGES:?name the images too}" --output "$bundle"
elif [ -z "${AIRLIFT_OFFLINE:-}" ] && run airlift rootfs build --runtime k3s --version "$version" --output "$bundle"; then
  :
else
  echo "demo: the k3s release cannot be downloaded here; going on with the STAND-IN k3s, which runs no pods" >&2
  run lab/stand-in/build.sh "$work/stand-in"
  version=$("$work/stand-in/k3s" --version | grep -oE 'v[0-9]+\.[0-9]+\.[0-9]+[^ ]*' | head -n 1)
  run airlift rootfs build --runtime k3s --version "$version" --binary "$work/stand-in/k3s" --images "$work/stand-in/k3s-airgap-images-amd64.tar" --output "$bundle"
fi
export KUBECONFIG=$work/kubeconfig
ssh=(--identity "$key" --known-hosts "$known")
# Refuses with a table of what is wrong; the demo's own cluster of an earlier time is not.
run airlift doctor --name demo --rootfs "$bundle" --masters "$master" --nodes "$worker1,$worker2" "${ssh[@]}"
run airlift run --name demo --runtime k3s --rootfs "$bundle" --masters "$master" --nodes "$worker1,$worker2" "${ssh[@]}"
run airlift status --name demo
run airlift exec --name demo -- uptime
say airlift kubeconfig --name demo '| grep server:'
airlift kubeconfig --name demo | grep server:
if command -v kubectl >/dev/null; then run kubectl get nodes; fi
printf '\nThe cluster runs. Look around:\n  export KUBECONFIG=%s\n  node bin/airlift.js status --name demo\nRemove it again:\n  node bin/airlift.js reset --name demo --yes && lab/lab.sh down --name demo\n' "$work/kubeconfig" >&2
