#!/bin/sh
# Written by airlift: removes k3s, its data and everything that airlift put on this host.
# Mounts that k3s did not make are never emptied or removed: the script refuses before it changes anything.
set -u
export LC_ALL=C
PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
[ "$(id -u)" = 0 ] || exec sudo -- "$0" "$@"
bin=/usr/local/bin
fail() { printf '@@fail %s %s\n' "$1" "$2"; printf '@@hint %s\n' "$3"; printf '%s\n%s\n' "$2" "$3" >&2; exit 1; }

{{mounts}}

# A data disk mounted right at one of these paths is emptied and kept. What is mounted deeper belongs to somebody, and what a
# link there leads to may hold more than is k3s'.
set -- "$named" /var/lib/kubelet /var/lib/airlift /var/lib/cni /var/log/pods /var/log/containers /etc/rancher/k3s /etc/rancher/node /run/flannel
for dir in "$@"; do
  shift
  to=$(real "$dir")
  if [ ! -L "$dir" ]; then
    set -- "$@" "$to"
  elif [ -n "$(ls -A "$dir/" 2>/dev/null)" ]; then
    fail E_MOUNT "refusing to wipe through $dir: it is a link to $to" "end k3s there with k3s-killall.sh, make a mount of the link, which is emptied (rm '$dir' && mkdir '$dir' && mount --bind '$to' '$dir'), and run the same command again"
  fi
done
foreign=$(mounts | while read -r mount; do
  case $mount in "$data/agent/containerd/"* | "$kubelet"/pods/* | "$kubelet"/plugins/*) continue ;; esac
  for dir in "$@"; do
    case $mount in "$dir"/*) printf '%s\n' "$mount"; break ;; esac
  done
done)
if [ -n "$foreign" ]; then
  first=${foreign%%"$nl"*}
  fail E_MOUNT "refusing to wipe $first: it is a mount that k3s did not make" "unmount it (umount '$first') and run the same command again"
fi

{{killall}}

# What killall could not unmount may be a volume with data: never delete through it.
left=$(mounts | while read -r mount; do
  case $mount in "$kubelet"/pods/* | "$kubelet"/plugins/* | "$data/agent/containerd/"* | /run/k3s/*) printf '%s\n' "$mount" ;; esac
done | head -n 1)
[ -z "$left" ] || fail E_MOUNT "refusing to wipe $left: it is still mounted" "see what uses it (fuser -vm '$left') and run the same command again"

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

for name in kubectl crictl ctr; do
  case $(readlink "$bin/$name" 2>/dev/null) in k3s | "$bin/k3s") rm -f "$bin/$name" ;; esac
done
rm -rf /run/k3s
state=$(real /var/lib/airlift)
for dir in "$@"; do [ "$dir" = "$state" ] || empty "$dir"; done
for dir in /etc/rancher /var/lib/rancher/k3s /var/lib/rancher; do [ -d "$dir" ] && rmdir "$dir" 2>/dev/null; done
# What an interrupted write may have left under its temporary name.
for dir in "$bin" /etc/systemd/system /etc/init.d /etc/logrotate.d; do
  rm -f "$dir"/*.airlift-tmp "$dir"/.*.airlift-*
done
rm -f "$bin/k3s" "$bin/k3s-killall.sh" "$bin/k3s-uninstall.sh" "$bin/k3s-agent-uninstall.sh"
empty "$state"
exit 0
