#!/bin/sh
# Written by airlift: stops k3s and everything that it started on this host. Data, images and configuration stay.
set -u
export LC_ALL=C
PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
[ "$(id -u)" = 0 ] || exec sudo -- "$0" "$@"
{{mounts}}
for d in "$data"/data/*/bin "$data"/data/*/bin/aux; do [ -d "$d" ] && PATH="$PATH:$d"; done

for unit in k3s k3s-agent; do
  if [ -f "/etc/systemd/system/$unit.service" ]; then
    # A unit that is still starting would be waited for: kill the job first.
    systemctl kill --kill-who=main --signal=TERM "$unit.service" 2>/dev/null
    timeout 20 systemctl stop "$unit.service" 2>/dev/null || systemctl kill --kill-who=main --signal=KILL "$unit.service" 2>/dev/null
    systemctl stop "$unit.service" 2>/dev/null
  fi
  [ -x "/etc/init.d/$unit" ] && rc-service "$unit" stop >/dev/null 2>&1
done

# Processes that run from k3s' own data directory: shims and whatever descends from them.
family() { for p in "$@"; do echo "$p"; family $(cat "/proc/$p/task/$p/children" 2>/dev/null || pgrep -P "$p" 2>/dev/null); done; }
roots=''
for exe in /proc/[0-9]*/exe; do
  target=$(readlink "$exe" 2>/dev/null) || continue
  pid=${exe#/proc/}; pid=${pid%/exe}
  case $target in "$programs"/*) roots="$roots $pid"; continue ;; esac
  case $(tr '\0' ' ' < "/proc/$pid/cmdline" 2>/dev/null) in
    *"$programs"/*/bin/* | *"$named"/data/*/bin/*) [ "$pid" = $$ ] || roots="$roots $pid" ;;
  esac
done
all=$(family $roots | sort -un)
[ -n "$all" ] && kill -9 $all 2>/dev/null

mounts | while read -r mount; do
  case $mount in
    /run/k3s/* | "$kubelet"/pods/* | "$kubelet"/plugins/* | /run/netns/cni-*)
      umount -f "$mount" 2>/dev/null || umount -l "$mount" 2>/dev/null
      ;;
  esac
done
for ns in /run/netns/cni-*; do
  [ -e "$ns" ] || continue
  ip netns delete "${ns##*/}" 2>/dev/null || rm -f "$ns"
done

ip -o link show master cni0 2>/dev/null | awk '{ sub(/[@:].*/, "", $2); print $2 }' | while read -r link; do ip link delete "$link" 2>/dev/null; done
for link in cni0 flannel.1 flannel-v6.1 kube-ipvs0 flannel-wg flannel-wg-v6 kube-dummy-if; do
  ip link show "$link" >/dev/null 2>&1 && ip link delete "$link"
done
empty /var/lib/cni

# Every flavour that is there: rules of one are not seen by the other.
for tables in iptables ip6tables iptables-legacy ip6tables-legacy iptables-nft ip6tables-nft; do
  command -v "$tables-save" >/dev/null 2>&1 || continue
  before=$("$tables-save" 2>/dev/null) || continue
  printf '%s\n' "$before" | grep -qE 'KUBE-|CNI-|[Ff][Ll][Aa][Nn][Nn][Ee][Ll]' || continue
  printf '%s\n' "$before" | grep -vE 'KUBE-|CNI-|[Ff][Ll][Aa][Nn][Nn][Ee][Ll]' | "$tables-restore"
done
if command -v nft >/dev/null 2>&1; then
  # Of kube-proxy in its mode nftables, of flannel beside it, and of the portmap plugin.
  nft list tables 2>/dev/null | while read -r _ family table; do
    case $table in kube-proxy | flannel-ipv[46] | cni_*) nft delete table "$family" "$table" 2>/dev/null ;; esac
  done
fi
if command -v ipset >/dev/null 2>&1; then
  ipset list -n 2>/dev/null | grep -E '^(inet6:)?KUBE-|^(inet6:)?kube-router' | while read -r set; do ipset destroy "$set" 2>/dev/null; done
fi
# With the systemd driver the kubelet's cgroups are transient units: removing only their directories would leave those.
[ -d /run/systemd/system ] && systemctl stop kubepods.slice 2>/dev/null
for root in /sys/fs/cgroup /sys/fs/cgroup/*; do
  for top in "$root/kubepods" "$root/kubepods.slice" "$root/k8s.io"; do
    [ -d "$top" ] && find "$top" -depth -type d -exec rmdir {} \; 2>/dev/null
  done
done
exit 0
