#!/usr/bin/env bash
# Does the lab do what its README says? Builds two labs of its own, takes them down
# again, and fails at the end if any check failed. `lab/selftest.sh`, half a minute.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lab=lab-selftest-$$
iso=lab-selftest-iso-$$
failures=0
lab() { "$here/lab.sh" "$@" 2>>"$log"; }
log=$(mktemp)
unset AIRLIFT_LAB_DIR
homes=${AIRLIFT_LAB_HOME:-$([ "$(id -u)" = 0 ] && echo /var/lib/airlift-lab || echo "${XDG_DATA_HOME:-$HOME/.local/share}/airlift-lab")}

# shellcheck disable=SC2329 # by the trap
finish() {
  lab down --name "$lab"
  lab down --name "$iso"
}
trap finish EXIT

check() {
  local what=$1 said
  shift
  if said=$("$@" 2>&1); then
    echo "ok     $what"
  else
    echo "FAILED $what: ${said:0:300}"
    failures=$((failures + 1))
  fi
}

refuses() { ! "$@"; }
equal() { [ "$1" = "$2" ] || { echo "\"$1\" is not \"$2\"" && false; }; }
on() { ssh -F "$homes/$lab/ssh_config" -o ConnectTimeout=5 "$@"; }
json() { python3 -c 'import json,sys; v=json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$homes/$lab/hosts.json" "$1"; }
ids() { docker ps -q --no-trunc --filter "label=airlift.lab=$lab" | sort; }
host_key() { on "$1" cat /etc/ssh/ssh_host_ed25519_key.pub; }
left() { docker ps -aq --filter "label=airlift.lab=$1" && docker network ls -q --filter "label=airlift.lab=$1" && docker volume ls -q --filter "label=airlift.lab=$1"; }

check 'engine answers' lab engine
begin=$SECONDS
check 'up 2 --openrc 1' lab up 2 --openrc 1 --name "$lab"
echo "       took $((SECONDS - begin)) s"
before=$(ids)
check 'hosts.json has three hosts' equal "$(json 'len(v["hosts"])')" 3
check 'hosts.json names the kinds' equal "$(json '[h["kind"] for h in v["hosts"]]')" "['systemd', 'systemd', 'openrc']"
check 'the listed host key is the real one' equal "$(host_key "$lab-1" | cut -d ' ' -f 1-2)" "$(json 'v["hosts"][0]["hostKey"]')"
check 'up again succeeds' lab up 2 --openrc 1 --name "$lab"
check 'and changes nothing' equal "$(ids)" "$before"

for user in root ops deploy nosudo; do
  check "$user logs in with the key" on "$user@$lab-1" true
done
check 'deploy: sudo without password' on "deploy@$lab-1" sudo -n true
check 'ops: sudo refuses without password' refuses on "ops@$lab-1" sudo -n true
check 'ops: sudo with password' on "ops@$lab-1" "echo ops-secret | sudo -S true"
check 'nosudo: no sudo with password' refuses on "nosudo@$lab-1" "echo nosudo-secret | sudo -S true"

check 'systemd is PID 1 and content' equal "$(on "$lab-1" 'cat /proc/1/comm; systemctl is-system-running --wait' | xargs)" 'systemd running'
check 'OpenRC runs sshd' on "$lab-3" 'rc-service ssh status && [ -x /sbin/openrc-run ] && ! command -v systemctl'
check 'machine ids differ' equal "$(for n in 1 2 3; do on "$lab-$n" cat /etc/machine-id; done | sort -u | wc -l)" 3
check 'a default route' on "$lab-1" 'ip -4 route show default | grep -q default'
check 'resolv.conf is not loopback' on "$lab-1" '! grep -q 127. /etc/resolv.conf'
check 'offline by address' refuses on "$lab-1" curl -sS -m 2 http://151.101.2.132/
check 'offline by name' refuses on "$lab-1" curl -sS -m 2 http://deb.debian.org/
check 'hosts reach each other' on "$lab-1" ping -c 1 -W 2 "$(json 'v["hosts"][1]["ip"]')"
check 'hard links from airlift to rancher' on "$lab-1" 'cd /var/lib; mkdir -p airlift rancher; echo a >airlift/a; ln airlift/a rancher/a'
check 'overlayfs below /var/lib' on "$lab-1" 'cd /var/lib/rancher; mkdir l u w m; mount -t overlay -o lowerdir=l,upperdir=u,workdir=w o m; umount m'
check 'exec' equal "$(lab exec "$lab-2" -- hostname)" "$lab-2"
check 'exec passes the exit code on' equal "$(lab exec "$lab-2" -- sh -c 'exit 7'; echo $?)" 7

check 'cut' lab cut "$lab-2"
check 'a cut host does not answer' refuses timeout 3 ssh -F "$homes/$lab/ssh_config" "$lab-2" true
check 'heal' lab heal "$lab-2"
check 'a healed host answers' on "$lab-2" true
check 'reboot' lab reboot "$lab-1"
check 'data outlives a reboot' on "$lab-1" test -f /var/lib/rancher/a
key=$(host_key "$lab-1")
check 'fresh' lab fresh "$lab-1"
check 'fresh keeps the host key' equal "$(host_key "$lab-1")" "$key"
check 'fresh is empty' refuses on "$lab-1" test -e /var/lib/rancher

check 'a second, isolated lab' lab up 1 --bastion --isolated --name "$iso"
check 'reached through its bastion' ssh -F "$homes/$iso/ssh_config" "$iso-1" true
inner=$(docker inspect -f '{{index .Config.Labels "airlift.lab.ip"}}' "$iso-1")
check 'and by no other way' refuses timeout 3 bash -c "exec 3<>/dev/tcp/$inner/22; read -r -t 2 line <&3"
check 'with a default route' ssh -F "$homes/$iso/ssh_config" "$iso-1" 'ip -4 route show default | grep -q default'

check 'bad lab name' equal "$(lab up 1 --name 'A b'; echo $?)" 2
check 'foreign containers are refused' refuses lab fresh no-such-host
check 'down' lab down --name "$lab"
check 'down twice' lab down --name "$lab"
check 'nothing is left' equal "$(left "$lab")$(ls "$homes/$lab" 2>/dev/null)" ''

((failures == 0)) || { echo "$failures failed, log: $log" && exit 1; }
rm -f "$log"
