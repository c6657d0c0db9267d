#!/bin/sh
# Written by airlift: removes k3s, its data and everything that airlift put on this host.
# Mounts that k3s did not make are never emptied or removed: the script refuses before it changes anything.
set -u
export LC_ALL=C
PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
[ "$(id -u)" = 0 ] || exec sudo -- "$0" "$@"
data=${K3S_DATA_DIR:-/var/lib/rancher/k3s}
bin=/usr/local/bin
fail() { printf '@@fail %s %s\n' "$1" "$2"; printf '@@hint %s\n' "$3"; printf '%s\n%s\n' "$2" "$3" >&2; exit 1; }

# A data disk mounted right at one of these paths is emptied and kept. What is mounted deeper belongs to somebody.
foreign=$(awk '{ print $2 }' /proc/mounts | while read -r mount; do
  mount=$(printf '%b' "$mount")
  case $mount in
    "$data/agent/containerd/"* | /var/lib/kubelet/pods/* | /var/lib/kubelet/plugins/* | /var/lib/rancher | "$data" | /var/lib/kubelet | /var/lib/airlift) ;;
    "$data"/* | /var/lib/rancher/* | /var/lib/kubelet/* | /var/lib/airlift/* | /etc/rancher/*) printf '%s\n' "$mount" ;;
  esac
done)
if [ -n "$foreign" ]; then
  set -- $foreign
  fail E_MOUNT "refusing to wipe $1: it is a mount that k3s did not make" "unmount it (umount $1) and run the same command again"
fi

{{killall}}

# What killall could not unmount may be a volume with data: never delete through it.
left=$(awk '{ print $2 }' /proc/mounts | grep -E '^(/var/lib/kubelet/(pods|plugins)/|/run/k3s/)' | head -n 1)
[ -z "$left" ] || fail E_MOUNT "refusing to wipe $left: it is still mounted" "see what uses it (fuser -vm $left) and run the same command again"

for unit in k3s k3s-agent; do
  if [ -f "/etc/systemd/system/$unit.service" ]; then
    systemctl disable --quiet "$unit.service" 2>/dev/null
    rm -f "/etc/systemd/system/$unit.service" "/etc/systemd/system/$unit.service.env"
    systemctl reset-failed "$unit.service" 2>/dev/null
  fi
  if [ -f "/etc/init.d/$unit" ]; then
    rc-update delete "$unit" default >/dev/null 2>&1
    rm -f "/etc/init.d/$unit"
  fi
  # /etc/default, /etc/sysconfig and drop-ins of the unit are read by k3s' service and written by the user alone: they stay.
  rm -f "/etc/logrotate.d/$unit" "/var/log/$unit.log" "/run/$unit.pid"
done
[ -d /run/systemd/system ] && systemctl daemon-reload

empty() { # DIR: removes it, or only its content where it is a mount point
  [ -e "$1" ] || return 0
  if awk -v p="$1" '$2 == p { found = 1 } END { exit !found }' /proc/mounts; then
    find "$1" -mindepth 1 -maxdepth 1 -exec rm -rf {} +
  else
    rm -rf "$1"
  fi
}
for name in kubectl crictl ctr; do
  case $(readlink "$bin/$name" 2>/dev/null) in k3s | "$bin/k3s") rm -f "$bin/$name" ;; esac
done
rm -rf /run/k3s /run/flannel /etc/rancher/k3s /etc/rancher/node
rmdir /etc/rancher 2>/dev/null
empty "$data"
for dir in /var/lib/rancher/k3s /var/lib/rancher; do [ -d "$dir" ] && rmdir "$dir" 2>/dev/null; done
empty /var/lib/kubelet
rm -rf /var/lib/cni /var/log/pods /var/log/containers
# What an interrupted write may have left under its temporary name.
for dir in "$bin" /etc/systemd/system /etc/init.d /etc/logrotate.d; do
  rm -f "$dir"/*.airlift-tmp "$dir"/.*.airlift-*
done
rm -f "$bin/k3s" "$bin/k3s-killall.sh" "$bin/k3s-uninstall.sh" "$bin/k3s-agent-uninstall.sh"
empty /var/lib/airlift
exit 0
