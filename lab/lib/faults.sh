# shellcheck shell=bash
# `lab.sh cut`, `heal`, `netem`: what happens to networks.
#
# All act on the engine's end of the host's cable, so nothing inside the host tells
# a fault of the lab from a real one, and no rule is left there to be cleaned up.

# Runs on the engine's machine with $1 = the interface numbers of a host's cables.
# shellcheck disable=SC2016 # expanded there
readonly CABLE_SCRIPT='
indexes=$1; shift
for index in $indexes; do
  cable=$(ip -o link show | sed -n "s/^$index: \([^:@]*\).*/\1/p")
  [ -n "$cable" ] || { echo "no interface number $index" >&2; exit 1; }
  case $1 in
    up | down) ip link set dev "$cable" "$1" ;;
    clear) tc qdisc del dev "$cable" root 2>/dev/null || true ;;
    delay) tc qdisc replace dev "$cable" root netem delay "$2" ;;
  esac || exit 1
done'

# host_cable HOST up|down|clear|delay [TIME]
host_cable() {
  local host=$1 indexes
  shift
  host_running "$host" || die "$host is not running"
  indexes=$(docker exec "$host" sh -c 'cat /sys/class/net/eth*/iflink' | tr '\n' ' ')
  if engine_is_local && command -v ip >/dev/null; then
    sh -c "$CABLE_SCRIPT" sh "$indexes" "$@"
  else
    docker run --rm --privileged --network host "$(host_image "$host")" sh -c "$CABLE_SCRIPT" sh "$indexes" "$@"
  fi
}

host_image() { docker inspect -f '{{.Config.Image}}' "$1"; }

# Packets vanish in both directions; connections hang, as with a pulled cable.
# A reboot or `fresh` plugs it in again.
cmd_cut() {
  require_host "${1:-}"
  host_cable "$1" down
}

cmd_heal() {
  require_host "${1:-}"
  host_cable "$1" up
  host_wait "$1" 20
}

# netem HOST DELAY|off: what is sent to the host arrives DELAY later. Exit 3 where
# the kernel has no sch_netem, so that a test can skip itself.
cmd_netem() {
  local host=${1:-} delay=${2:-}
  require_host "$host"
  [[ $delay =~ ^([0-9]+(us|ms|s)|off)$ ]] || usage_error "netem $host needs a delay such as 50ms, or off, not \"$delay\""
  if [ "$delay" = off ]; then
    host_cable "$host" clear
  elif ! host_cable "$host" delay "$delay"; then
    say "no delay set: this kernel has no sch_netem, or tc is missing"
    return 3
  fi
}
