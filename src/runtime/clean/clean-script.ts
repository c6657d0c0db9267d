import { STATE_DIR } from '../../machine/state-paths.js'

/** Kinds of remains, in the order in which the script looks for them. */
export const CLEAN_KINDS = [
  'service',
  'process',
  'mount',
  'netns',
  'link',
  'iptables',
  'nftables',
  'ipset',
  'path',
  'cgroup',
] as const

/** What kind of thing is left. */
export type CleanKind = (typeof CLEAN_KINDS)[number]

/** Ends the script's answer: without it, nothing is proved. */
export const CLEAN_END = 'clean-check\tdone'

/**
 * A POSIX sh script that lists what k3s or airlift left on a host, one `left<TAB>kind<TAB>evidence` per line. It only reads.
 * What only a user writes (drop-ins of the unit, /etc/default, /etc/sysconfig) is not looked for: `reset` leaves it.
 * Legacy iptables is asked only where its tables exist, for the question alone would load them.
 */
export function cleanScript(): string {
  return String.raw`
LC_ALL=C; export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
left() { printf 'left\t%s\t%s\n' "$1" "$2"; }
has() { command -v "$1" >/dev/null 2>&1; }
# /proc knows mounts and programs by their real paths, whatever links lead there.
real() { readlink -f "$1" 2>/dev/null || printf '%s\n' "$1"; }
# A mount point, or a link, that holds nothing belongs to the host.
spared() { [ -z "$(ls -A "$1/" 2>/dev/null)" ] && { [ -L "$1" ] || grep -q " $(real "$1") " /proc/self/mounts 2>/dev/null; }; }
check() {
  for item in /etc/systemd/system/k3s*.service /etc/systemd/system/k3s*.service.env \
    /etc/systemd/system/*.wants/k3s*.service /etc/init.d/k3s /etc/init.d/k3s-* /etc/runlevels/*/k3s /etc/runlevels/*/k3s-*; do
    if [ -e "$item" ] || [ -L "$item" ]; then left service "$item"; fi
  done
  if [ -d /run/systemd/system ] && has systemctl; then
    systemctl list-units --all --plain --no-legend 'k3s*.service' 2>/dev/null | while read -r unit load active rest; do
      case $unit in k3s*) left service "$unit ($load, $active)" ;; esac
    done
  fi

  own=$(readlink /proc/self/ns/pid 2>/dev/null) told=
  for file in $(grep -l -a -e k3s -e containerd-shim /proc/[0-9]*/cmdline 2>/dev/null); do
    pid=${'${file#/proc/}'}; pid=${'${pid%/cmdline}'}
    if [ "$(readlink "/proc/$pid/ns/pid" 2>/dev/null)" != "$own" ]; then continue; fi
    words=$(tr '\0' ' ' <"$file" 2>/dev/null)
    case $words in
      'k3s server'* | 'k3s agent'* | /usr/local/bin/k3s\ * | *' /usr/local/bin/k3s '* | *'/var/lib/rancher/k3s/data/'* | *containerd-shim*/run/k3s/*)
        told="$told $pid "
        case $words in 'sh '* | 'grep '* | 'vi '* | 'less '*) ;; *) left process "$pid $(printf %s "$words" | cut -c 1-100)" ;; esac ;;
    esac
  done
  ls -l /proc/[0-9]*/exe 2>/dev/null | sed -n 's#.* /proc/\([0-9]*\)/exe -> \(/.*/k3s/data/[0-9a-f]\{64\}/bin/.*\)#\1 \2#p' | while read -r pid program; do
    if [ "$(readlink "/proc/$pid/ns/pid" 2>/dev/null)" != "$own" ]; then continue; fi
    case $told in *" $pid "*) ;; *) left process "$pid $(printf %s "$program" | cut -c 1-100)" ;; esac
  done

  data=$(real /var/lib/rancher/k3s) kubelet=$(real /var/lib/kubelet) state=$(real ${STATE_DIR})
  while read -r device mount rest; do
    case $mount in
      /run/k3s/* | "$kubelet"/* | "$data"/* | "$state"/* | /run/netns/cni-*) left mount "$mount" ;;
      # Of another kubelet, as far as it is known where those are.
      /var/lib/k0s/* | /var/snap/* | /var/lib/docker/* | /var/lib/containers/*) ;;
      # The directory of the kubelet was elsewhere, and the link to it is gone.
      */kubelet/pods/*/volumes/kubernetes.io~*) left mount "$mount" ;;
    esac
  done </proc/self/mounts

  for item in /run/netns/cni-*; do if [ -e "$item" ]; then left netns "$item"; fi; done

  for link in cni0 flannel.1 flannel-v6.1 flannel-wg flannel-wg-v6 kube-ipvs0 kube-dummy-if kube-bridge nodelocaldns; do
    if [ -e "/sys/class/net/$link" ]; then left link "$link"; fi
  done
  for item in /sys/class/net/*/master; do
    case $(readlink "$item" 2>/dev/null) in */cni0) item=${'${item%/master}'}; left link "${'${item##*/}'}" ;; esac
  done

  for family in ip ip6; do
    for flavour in legacy nft plain; do
      case $flavour in
        legacy) tool=${'${family}'}tables-legacy-save; if [ ! -s "/proc/net/${'${family}'}_tables_names" ]; then continue; fi ;;
        nft) tool=${'${family}'}tables-nft-save ;;
        plain) tool=${'${family}'}tables-save
          if has "${'${family}'}tables-nft-save" && has "${'${family}'}tables-legacy-save"; then continue; fi ;;
      esac
      if has "$tool"; then
        "$tool" 2>/dev/null | grep -i -e 'KUBE-' -e 'CNI-' -e 'flannel' | while read -r rule; do
          left iptables "$tool: $(printf %s "$rule" | cut -c 1-100)"
        done
      fi
    done
  done
  if has nft; then
    nft list tables 2>/dev/null | grep -e 'kube-proxy' -e 'flannel-' -e 'cni_' | while read -r table; do left nftables "$table"; done
  fi
  if has ipset; then
    ipset list -n 2>/dev/null | grep -e '^KUBE-' -e '^inet6:KUBE-' -e '^kube-router' -e '^inet6:kube-router' | while read -r set; do left ipset "$set"; done
  fi

  for item in /etc/rancher/k3s /etc/rancher/node /etc/rancher /var/lib/rancher/k3s /var/lib/rancher /var/lib/kubelet ${STATE_DIR} \
    /var/lib/cni /run/k3s /run/flannel /var/log/pods /var/log/containers; do
    if [ -d "$item" ] || [ -L "$item" ]; then if spared "$item"; then continue; fi
    elif [ ! -e "$item" ]; then continue; fi
    case $item in
      # Shared with RKE2, or holding only what was named already: what else is in them is not ours.
      /etc/rancher | /var/lib/rancher) if [ -n "$(ls -A "$item" 2>/dev/null)" ]; then continue; fi ;;
    esac
    left path "$item"
  done
  for item in /usr/local/bin/k3s /usr/local/bin/k3s-killall.sh /usr/local/bin/k3s-uninstall.sh /usr/local/bin/k3s-agent-uninstall.sh \
    /etc/cni/net.d/10-flannel.conflist /etc/cni/net.d/10-flannel.conf /etc/logrotate.d/k3s /etc/logrotate.d/k3s-agent \
    /var/log/k3s.log /var/log/k3s-agent.log \
    /run/k3s.pid /run/k3s-agent.pid /usr/local/bin/.airlift-probe* /usr/local/bin/.*.airlift-* /usr/local/bin/*.airlift-tmp \
    /etc/systemd/system/*.airlift-tmp /etc/init.d/*.airlift-tmp /etc/logrotate.d/*.airlift-tmp; do
    if [ -e "$item" ] || [ -L "$item" ]; then left path "$item"; fi
  done
  for name in kubectl crictl ctr; do
    case $(readlink "/usr/local/bin/$name" 2>/dev/null) in
      k3s | /usr/local/bin/k3s) left path "/usr/local/bin/$name" ;;
    esac
  done

  for item in /sys/fs/cgroup/kubepods /sys/fs/cgroup/kubepods.slice /sys/fs/cgroup/k8s.io \
    /sys/fs/cgroup/*/kubepods /sys/fs/cgroup/*/kubepods.slice /sys/fs/cgroup/*/k8s.io; do
    if [ -d "$item" ]; then left cgroup "$item"; fi
  done
}
check </dev/null
printf '${CLEAN_END.replace('\t', '\\t')}\n'
`
}
