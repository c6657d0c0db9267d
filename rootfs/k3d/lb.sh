#!/bin/sh
# Load balancer of a cluster in containers: airlift puts it at /usr/local/bin/airlift-lb of a container that has the same
# image as the nodes, and of all privileges only NET_ADMIN.
#
#   airlift-lb           balances until it is stopped
#   airlift-lb status    one line per target: PORT PROTO ADDRESS:PORT up|down
#
# It works in the kernel: each new connection to a port is given to one of its targets by chance (DNAT), with the address of
# this container as its source (MASQUERADE), by the same rules of iptables as kube-proxy makes, so whatever can run nodes can
# run it. Connections that exist go their way whatever becomes of the rules.
#
# /etc/airlift/lb holds a line per port, `PORT PROTO TARGET...`; it is read again each second.
#   PROTO   tcp, udp, sctp, or api: tcp to a master, which counts as up only once its API answers
#   TARGET  an IPv4 address, or ADDRESS:PORT where the port is another one there; ADDRESS,ADDRESS6 where the node has both.
#           What comes over IPv6 goes to ADDRESS6; whether the target is up is asked over IPv4
# Each second all targets are asked, by connecting (tcp, api) or by ping (udp, sctp). One that does not answer within a second is
# left out; when none answers all are kept, since it may be the asking that fails. Three times in a row without an answer,
# and the connections to it are ended, so that clients need not wait for a machine that is gone.
# POSIX sh; needs busybox, iptables, and conntrack if it is there, all of which k3s' own image has.
set -u
PATH=${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}:/bin/aux
export PATH

CONFIG=/etc/airlift/lb
RUN=/run/airlift-lb
STATUS=$RUN/status
# So many times without an answer end the connections.
GONE=3

say() { echo "airlift-lb: $*" >&2; }

if [ "${1-}" = status ]; then exec cat "$STATUS"; fi

# Lines `PORT PROTO ADDRESS PORT-THERE [ADDRESS6]`, one per target; what cannot be used is said and left out.
read_config() {
  awk -v sctp="$sctp" '
    { sub(/#.*/, "") }
    NF == 0 { next }
    $1 !~ /^[0-9]+$/ || $1 < 1 || $1 > 65535 || $2 !~ /^(tcp|udp|sctp|api)$/ || NF < 3 {
      print "airlift-lb: not understood: " $0 > "/dev/stderr"; next
    }
    $2 == "sctp" && sctp == "no" { print "airlift-lb: the kernel has no rules for sctp: " $0 > "/dev/stderr"; next }
    {
      for (i = 3; i <= NF; i++) {
        both = split($i, one, ",")
        parts = split(one[1], part, ":")
        port = parts == 2 ? part[2] : $1
        if (both > 2 || both == 2 && one[2] !~ /^[0-9a-f:]+$/ || parts > 2 || part[1] !~ /^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$/ || port !~ /^[0-9]+$/)
          print "airlift-lb: no such target: " $i > "/dev/stderr"
        else print $1, $2, part[1], port, one[2]
      }
    }' "$CONFIG"
}

# 0 when ADDRESS:PORT takes a connection within a second.
connects() {
  case $connect in
    telnet) timeout 1 telnet "$1" "$2" ;;
    *) timeout 1 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" ;;
  esac </dev/null >/dev/null 2>&1
}

# 0 unless the API server of a master says that it cannot answer yet. A master's port is open long before: the supervisor
# has it from the beginning. This needs kubectl and costs much more than connecting, so it is asked only of a master that
# did not answer before, until it does. Wrong credentials do: being told so is an answer.
api_answers() {
  case $(timeout 3 kubectl --kubeconfig=/dev/null --server="https://$1:$2" --token=none \
      --insecure-skip-tls-verify --request-timeout=2s get --raw /readyz 2>&1) in
    *'unable to handle the request'*|*'not ready'*|*ServiceUnavailable*|*'etcd failed'*|*refused*|*timeout*|*EOF*|*deadline*) return 1 ;;
  esac
}

# Asks one target and writes the result to a file of its own: `0` up, else how often in a row it did not answer.
ask() {
  file=$RUN/ask/$1-$2-$3-$4
  read -r before 2>/dev/null < "$file" || before=
  case $2 in
    udp|sctp) ping -c 1 -W 1 "$3" >/dev/null 2>&1 ;;
    *) connects "$3" "$4" ;;
  esac && now=0 || now=$((${before:-0} + 1))
  # A master that begins is not gone: nodes may be joining through it.
  if [ "$2 $now" = 'api 0' ] && [ "$before" != 0 ]; then api_answers "$3" "$4" || now=1; fi
  echo "$now" > "$file.new" && mv -f "$file.new" "$file"
}

# All targets at once.
ask_all() {
  while read -r port proto address there _; do
    ask "$port" "$proto" "$address" "$there" &
  done < "$RUN/targets"
  wait
}

# Writes the status from the answers, and ends connections to targets that are gone.
judge() {
  while read -r port proto address there six; do
    # Not asked yet: a port may be tried, a master must have answered.
    read -r missed 2>/dev/null < "$RUN/ask/$port-$proto-$address-$there" || { missed=0; [ "$proto" = api ] && missed=1; }
    if [ "$missed" = 0 ]; then state=up; else state=down; fi
    echo "$port $proto $address:$there $state"
    [ "$missed" = "$GONE" ] && end_connections "$proto" "$address" "$there" "$port" "$six"
  done < "$RUN/targets" > "$STATUS.new"
  mv -f "$STATUS.new" "$STATUS"
}

# Without its entry a connection is no longer led on: its next packet is answered by this container, with a reset.
end_connections() {
  proto_of=$1
  [ "$1" = api ] && proto_of=tcp
  command -v conntrack >/dev/null || return 0
  conntrack -D -p "$proto_of" --orig-port-dst "$4" --reply-src "$2" --reply-port-src "$3" >/dev/null 2>&1 &&
    say "ended connections to $2:$3"
  [ -n "$5" ] && conntrack -D -f ipv6 -p "$proto_of" --orig-port-dst "$4" --reply-src "$5" --reply-port-src "$3" >/dev/null 2>&1 &&
    say "ended connections to [$5]:$3"
  return 0
}

# The rules of a family (4 or 6) that the status asks for. Of IPv6 there are only targets that have such an address.
rules_of() {
  awk -v family="$1" '
    NR == FNR { six[$1 " " $2 " " $3 ":" $4] = $5; there[$1 " " $2 " " $3 ":" $4] = $4; next }
    {
      key = $1 " " $2; address = $3
      if (family == 6) {
        if (six[key " " $3] == "") next
        address = "[" six[key " " $3] "]:" there[key " " $3]
      }
      if (!(key in all)) order[++keys] = key
      all[key] = all[key] " " address
      if ($4 == "up") up[key] = up[key] " " address
    }
    END {
      print "*nat\n:AIRLIFT-LB - [0:0]"
      for (k = 1; k <= keys; k++) {
        split(order[k], name, " ")
        proto = name[2] == "api" ? "tcp" : name[2]
        count = split(order[k] in up ? up[order[k]] : all[order[k]], target, " ")
        for (i = 1; i <= count; i++)
          printf "-A AIRLIFT-LB -p %s --dport %s %s-j DNAT --to-destination %s\n", proto, name[1], \
            i < count ? sprintf("-m statistic --mode random --probability %.8f ", 1 / (count - i + 1)) : "", target[i]
      }
      print "COMMIT"
    }' "$RUN/targets" "$STATUS"
}

# All rules of a family in one go: there is no moment without them.
apply() {
  rules=$(rules_of 4)
  if [ "$rules" != "${applied-}" ]; then
    echo "$rules" | $restore --noflush 2> "$RUN/error" || { say "cannot set the rules: $(cat "$RUN/error")"; return 1; }
    applied=$rules
    say "$(awk '{ printf("%s%s/%s to %s %s", sep, $1, $2, $3, $4); sep = ", " }' "$STATUS")"
  fi
  apply6
}

# The same for what comes over IPv6. Where that cannot be, the rest works all the same.
apply6() {
  rules=$(rules_of 6)
  case $rules in *-j*) ;; *) [ -n "${applied6-}" ] || return 0 ;; esac
  [ "$rules" != "${applied6-}" ] || return 0
  if [ -z "${restore6-}" ]; then
    prepare ip6tables ::1 && restore6=$found || {
      restore6=none
      say 'the kernel does not let rules of IPv6 be set: no connection is led on that comes over IPv6'
    }
  fi
  [ "$restore6" != none ] || return 0
  echo "$rules" | $restore6 --noflush 2> "$RUN/error" || { say "cannot set the rules of IPv6: $(cat "$RUN/error")"; return 1; }
  applied6=$rules
}

# iptables, or ip6tables, comes as legacy, nft, or a wrapper that chooses. Both kinds are tried with the very rules that are
# needed. Sets `found` to what takes the rules, and `found_sctp`.
#   prepare iptables|ip6tables LOOPBACK-ADDRESS
prepare() {
  for kind in "$1" "$1-nft" "$1-legacy"; do
    command -v "$kind" >/dev/null || continue
    "$kind" -w 5 -t nat -N AIRLIFT-LB 2>/dev/null
    "$kind" -w 5 -t nat -A AIRLIFT-LB -p tcp --dport 1 -m statistic --mode random --probability 0.5 -j DNAT --to-destination "$2" 2>/dev/null || continue
    "$kind" -w 5 -t nat -A AIRLIFT-LB -p sctp --dport 1 -j DNAT --to-destination "$2" 2>/dev/null && found_sctp=yes || found_sctp=no
    "$kind" -w 5 -t nat -F AIRLIFT-LB
    "$kind" -w 5 -t nat -C PREROUTING -m addrtype --dst-type LOCAL -j AIRLIFT-LB 2>/dev/null ||
      "$kind" -w 5 -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j AIRLIFT-LB || continue
    "$kind" -w 5 -t nat -C POSTROUTING -m conntrack --ctstate DNAT -j MASQUERADE 2>/dev/null ||
      "$kind" -w 5 -t nat -A POSTROUTING -m conntrack --ctstate DNAT -j MASQUERADE || continue
    case $kind in "$1") found=$1-restore ;; *) found=$kind-restore ;; esac
    return 0
  done
  return 1
}

# A signal ends it at once. Process 1 gets only the signals that it asks for.
trap 'exit 0' TERM INT
mkdir -p "$RUN/ask"
if prepare iptables 127.0.0.1; then
  restore=$found
  sctp=$found_sctp
else
  say 'the kernel does not let rules for address translation be set (statistic, DNAT, MASQUERADE): no connection is led on'
  exit 1
fi
[ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ] || echo 1 > /proc/sys/net/ipv4/ip_forward || {
  say 'net.ipv4.ip_forward is 0 and cannot be set here'
  exit 1
}
if command -v telnet >/dev/null; then connect=telnet; else connect=bash; fi
config=
while :; do
  seen=$(cat "$CONFIG" 2>/dev/null) || seen=$config
  if [ "$seen" != "$config" ]; then
    config=$seen
    read_config > "$RUN/targets.new" && mv -f "$RUN/targets.new" "$RUN/targets"
    # A start or a change need not wait for the answers.
    judge
    apply
  fi
  [ -f "$RUN/targets" ] && ask_all && judge && apply
  sleep 1 &
  wait $!
done
