#!/bin/sh
# Entry script of a node container: airlift puts it at /usr/local/bin/airlift-node and runs it at every start.
#
#   airlift-node server|agent [ARG...]   prepares the container, then becomes k3s
#   airlift-node link-images             links image archives that came into the volume since the start
#   airlift-node resolver                shows which resolver pods get, and renews the way to it
#
# It ends in `exec k3s`, so that k3s is process 1: only as such does k3s move the processes of a cgroup v2 root out of the
# way and reap orphans (k3s, pkg/cli/cmds/init_linux.go and log_linux.go). No step before that may stop the node: what
# fails is said on standard error, which is the container's log, and k3s starts all the same.
# POSIX sh; needs no more than the busybox of k3s' own image.
set -u
PATH=${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}:/bin/aux
export PATH

DATA=/var/lib/rancher/k3s
# What has to outlive the container lies in its data volume.
KEPT=$DATA/airlift
IMAGES=/var/lib/airlift/images
LINKS=$DATA/agent/images
RESOLV_CONF=/etc/rancher/k3s/resolv.conf
# Nobody's address: packets to it are caught on the node, whichever pod they come from.
RESOLVER=169.254.11.53
# Says that the way there is laid; it is gone with this start of the container, as the rules are.
LED=/run/airlift-led

say() { echo "airlift-node: $*" >&2; }

# Volumes of pods must show up in the kubelet's mounts and the other way round, which Docker's default, private, prevents.
share_mounts() { mount --make-rshared / || say 'cannot share mounts: pods with mountPropagation will not start'; }

# `k3s kubectl` works on hosts, where k3s is a program that unpacks and calls others. /bin/k3s of the image is what was
# unpacked: it takes the subcommand for an argument of kubectl ("unknown command kubectl for kubectl").
wrap_k3s() {
  mkdir -p /usr/local/bin
  cat > /usr/local/bin/k3s.new <<'WRAP'
#!/bin/sh
# Written by airlift-node at every start: the commands that are programs of their own in this image.
case ${1-} in
  kubectl|crictl|ctr|check-config) [ -e "/bin/$1" ] && exec "/bin/$@" ;;
esac
exec /bin/k3s "$@"
WRAP
  chmod 755 /usr/local/bin/k3s.new
  mv -f /usr/local/bin/k3s.new /usr/local/bin/k3s
}

# The node's password and airlift's own record stay when the container is replaced, as on a host they would.
keep_state() {
  mkdir -p "$KEPT/node" "$KEPT/state/images" /etc/rancher /var/lib/airlift
  if [ ! -L /etc/rancher/node ]; then
    # Files that came with this container win.
    [ -d /etc/rancher/node ] && cp -a /etc/rancher/node/. "$KEPT/node/" && rm -rf /etc/rancher/node
    ln -s "$KEPT/node" /etc/rancher/node
  fi
  for entry in /var/lib/airlift/* /var/lib/airlift/.[!.]*; do
    [ -e "$entry" ] && [ "$entry" != "$IMAGES" ] || continue
    rm -rf "$KEPT/state/${entry##*/}"
    mv "$entry" "$KEPT/state/" || say "cannot keep $entry"
  done
  if [ -d "$IMAGES" ]; then mount --bind "$IMAGES" "$KEPT/state/images"; fi
  mount --rbind "$KEPT/state" /var/lib/airlift || say 'cannot keep /var/lib/airlift: it is lost with the container'
}

# All containers would have the machine id of nothing and the product uuid of the engine's computer. Both are to be the
# node's own, and stay so: they show up as nodeInfo.machineID and nodeInfo.systemUUID.
identify() {
  [ -s "$KEPT/uuid" ] || cat /proc/sys/kernel/random/uuid > "$KEPT/uuid"
  if [ ! -s /etc/machine-id ]; then tr -d '\n-' < "$KEPT/uuid" > /etc/machine-id; echo >> /etc/machine-id; fi
  real=$(readlink -f /sys/class/dmi/id/product_uuid 2>/dev/null) || return 0
  [ -f "$real" ] || return 0
  mount --bind "$KEPT/uuid" "$real" || say 'cannot give the node a product uuid of its own'
}

# The kubelet reports as capacity what cadvisor reads: MemTotal of /proc/meminfo, and the processors that
# /sys/devices/system/cpu/online lists (cadvisor, machine/machine.go and utils/sysfs/sysfs.go). Neither knows of cgroups,
# so a limited container would promise Kubernetes more than it has.
show_limits() {
  if [ -n "${AIRLIFT_MEMORY_BYTES-}" ]; then
    awk -v max="$((AIRLIFT_MEMORY_BYTES / 1024))" '
      /^Swap(Total|Free|Cached):/ { $2 = 0 }
      $3 == "kB" && $1 !~ /^(Vmalloc|DirectMap|Hugepage)/ && $2 + 0 > max + 0 { $2 = max }
      { printf "%-15s %9s%s\n", $1, $2, $3 == "" ? "" : " " $3 }' /proc/meminfo > /run/airlift-meminfo &&
      mount --bind /run/airlift-meminfo /proc/meminfo || say 'cannot show the memory limit: Kubernetes sees all memory'
  fi
  if [ -n "${AIRLIFT_CPUS-}" ]; then limit_cpus || say 'cannot show the CPU limit: Kubernetes sees all processors'; fi
}

# The first so many of the processors that are online; a fraction counts as one more, of which a part is reserved.
limit_cpus() {
  awk -v want="$AIRLIFT_CPUS" '{
    want = want > int(want) ? int(want) + 1 : int(want)
    count = split($1, ranges, ",")
    for (i = 1; i <= count; i++) {
      ends = split(ranges[i], end, "-")
      for (cpu = end[1]; cpu <= end[ends]; cpu++) if (want-- > 0) list = list (list == "" ? "" : ",") cpu
    }
    print list }' /sys/devices/system/cpu/online > /run/airlift-cpus || return 1
  if ls -d /sys/devices/system/node/node[0-9]* >/dev/null 2>&1; then
    mount --bind /run/airlift-cpus /sys/devices/system/cpu/online
    return
  fi
  # A kernel without NUMA: cadvisor then counts directories instead.
  mkdir -p /run/airlift-cpu
  for cpu in $(tr , ' ' < /run/airlift-cpus); do
    from=/sys/devices/system/cpu/cpu$cpu
    mkdir -p "/run/airlift-cpu/cpu$cpu/topology"
    for file in core_id physical_package_id thread_siblings_list; do
      cat "$from/topology/$file" > "/run/airlift-cpu/cpu$cpu/topology/$file" 2>/dev/null
    done
  done
  cp /run/airlift-cpus /run/airlift-cpu/online
  mount --bind /run/airlift-cpu /sys/devices/system/cpu
}

# As many open files as k3s' unit on hosts allows, as far as the engine lets it be: some give 1024 at first, and pods would
# have no more. Not without limit, which sends old programs through a billion numbers.
open_files() {
  [ -z "${AIRLIFT_OWN_NOFILE-}" ] || return 0
  most=$(ulimit -Hn) || return 0
  [ "$most" != unlimited ] && [ "$most" -le 1048576 ] || most=1048576
  ulimit -Sn "$most" 2>/dev/null
  [ "$most" -ge 65536 ] || say "the engine allows no more than $most open files: --ulimit nofile=1048576 asks for more"
}

# The archives are in one volume that all nodes of the cluster share, read-only. k3s follows links: it opens what it finds
# by name, by its suffix (k3s, pkg/agent/containerd). There is no .cache.json beside them: with it, k3s would not import
# them at the next start, but does take away the pins of their images, and an image that is then collected as garbage never
# comes back.
link_images() {
  mkdir -p "$LINKS"
  for link in "$LINKS"/*; do
    case $(readlink "$link") in "$IMAGES"/*) [ -e "$link" ] || rm -f "$link" ;; esac
  done
  for archive in "$IMAGES"/*; do
    [ -f "$archive" ] && [ ! -e "$LINKS/${archive##*/}" ] && ln -s "$archive" "$LINKS/${archive##*/}"
  done
  return 0
}

# The port of Docker's resolver at 127.0.0.11, from a socket table of this network namespace. The table is read rather than
# Docker's rules, which are in iptables-legacy, iptables-nft or nftables as the engine's computer has it.
resolver_port() {
  while read -r _ address _; do
    case $address in 0B00007F:*|7F00000B:*) printf '%d' "0x${address#*:}"; return ;; esac
  done < "/proc/net/$1"
}

# Pods cannot reach 127.0.0.11, which is in the network namespace of the node. So they are given RESOLVER, and what they
# send there is led to Docker's resolver by rules of our own; Docker's rules stay as they are.
lead_to_resolver() {
  udp=$(resolver_port udp)
  tcp=$(resolver_port tcp)
  [ -n "$udp" ] && [ -n "$tcp" ] || return 1
  [ "$udp $tcp" = "${led_to-}" ] && return 0
  # A loopback address is no destination for packets from elsewhere without this. kube-proxy sets it too.
  echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet || return 1
  # In one call: each takes ten milliseconds, and k3s waits for it. --noflush empties a chain that is named, and no other.
  # Nothing else of loopback is to be reached by it: the same rule as the kubelet's, which comes later.
  {
    if [ ! -e "$LED" ]; then
      echo '*filter'
      echo '-I INPUT ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP'
      echo COMMIT
    fi
    echo '*nat'
    echo ':AIRLIFT-DNS - [0:0]'
    echo "-A AIRLIFT-DNS -p udp --dport 53 -j DNAT --to-destination 127.0.0.11:$udp"
    echo "-A AIRLIFT-DNS -p tcp --dport 53 -j DNAT --to-destination 127.0.0.11:$tcp"
    if [ ! -e "$LED" ]; then
      for chain in PREROUTING OUTPUT; do echo "-I $chain -d $RESOLVER -j AIRLIFT-DNS"; done
    fi
    echo COMMIT
  } | iptables-restore -w 5 --noflush || return 1
  : > "$LED"
  led_to="$udp $tcp"
}

# What pods get as resolv.conf. Without the search domains of the engine's computer: with them, each name that a pod asks
# for would be asked for with each of them first, and somebody else's names would be found.
give_resolver() {
  servers=$(awk '$1 == "nameserver" { print $2 }' /etc/resolv.conf)
  mkdir -p "${RESOLV_CONF%/*}"
  case " $(echo $servers) " in
    *' 127.'*)
      lead_to_resolver || say "cannot lead pods to the engine's resolver: names outside of the cluster will not resolve in pods"
      servers=$RESOLVER ;;
  esac
  for server in ${servers:-$RESOLVER}; do echo "nameserver $server"; done > "$RESOLV_CONF.new"
  mv -f "$RESOLV_CONF.new" "$RESOLV_CONF"
}

# Docker's resolver gets new ports when the engine is restarted under running containers (live-restore).
watch_resolver() {
  grep -q '^nameserver 127\.' /etc/resolv.conf || return 0
  while sleep 5; do lead_to_resolver; done 2>/dev/null &
}

# Pods resolve what /etc/hosts of the node has beyond localhost and the node: host.airlift.internal and the user's aliases.
# coredns-custom is k3s' own place for this (manifests/coredns.yaml imports it); NodeHosts is not, k3s rewrites it.
# Written anew at each start, since the address of the engine's computer may have changed.
tell_pods_hosts() {
  manifests=$DATA/server/manifests
  mkdir -p "$manifests"
  for other in "$manifests"/*; do
    [ "${other##*/}" = airlift-hosts.yaml ] && continue
    if [ -f "$other" ] && grep -q 'coredns-custom' "$other"; then
      say "${other##*/} has a coredns-custom of its own: names of /etc/hosts are not given to pods"
      rm -f "$manifests/airlift-hosts.yaml"
      return
    fi
  done
  awk -v self="$(hostname)" '
    $1 ~ /^#/ || NF < 2 { next }
    {
      for (i = 2; i <= NF; i++) {
        name = tolower($i)
        if (name == self || name == "localhost" || name ~ /^ip6-/ || name !~ /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9])?$/) next
        if (!(name in seen)) { zones = zones " " name ":53"; seen[name] = 1 }
        lines = lines "            " $1 " " name "\n"
      }
    }
    END {
      if (zones == "") exit 1
      print "# Written by airlift-node at every start of this container from its /etc/hosts."
      print "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: coredns-custom\n  namespace: kube-system\ndata:"
      print "  airlift-hosts.server: |"
      print "   " zones " {\n        errors\n        hosts {\n" lines "            fallthrough\n        }"
      print "        forward . /etc/resolv.conf\n    }"
    }' /etc/hosts > "$KEPT/hosts.yaml.new" && mv -f "$KEPT/hosts.yaml.new" "$manifests/airlift-hosts.yaml"
  rm -f "$KEPT/hosts.yaml.new"
}

# The log file is to hold this start only, by which a failure is told from one that was mended. The container's own log
# (docker logs) has all starts.
begin_log() {
  for log in /var/log/k3s.log /var/log/k3s-agent.log; do
    [ -s "$log" ] && mv -f "$log" "$log.previous"
  done
  return 0
}

case ${1-} in
  link-images) link_images; exit ;;
  resolver) give_resolver; cat "$RESOLV_CONF"; exit ;;
esac

share_mounts
wrap_k3s
keep_state
identify
show_limits
open_files
link_images
give_resolver
[ "${1-}" = server ] && tell_pods_hosts
begin_log
watch_resolver
exec /bin/k3s "$@"
