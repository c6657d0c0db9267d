# shellcheck shell=bash
# Networks of a lab: one for the hosts, with a bastion one more for the way in.
#
# Hosts keep a default route, as every machine has one, but nothing translates
# their addresses: what they send to the internet is never answered. They are
# offline in truth, and no test of ours can pass by downloading something.

readonly SUBNET_PREFIX=10.77 # neither k3s' pods and services, nor Docker's own pools
# shellcheck disable=SC2034 # read by the other parts
readonly FIRST_HOST_OCTET=11 BASTION_OCTET=2

network_exists() { docker network inspect "$1" >/dev/null 2>&1; }

# network_prefix NETWORK: its first three octets.
network_prefix() { docker network inspect -f '{{(index .IPAM.Config 0).Subnet}}' "$1" | sed 's/\.0\/24$//'; }

network_is_isolated() {
  [ "$(docker network inspect -f "{{index .Labels \"$LAB_LABEL.isolated\"}}" "$1")" = yes ]
}

# ensure_network LAB NETWORK ISOLATED(yes|no)
# Isolated: the bridge has no address, so the operator's machine has no way to the
# hosts. (`--internal` would not do: the bridge keeps its address, and the hosts
# lose their default route.)
ensure_network() {
  if network_exists "$2"; then
    local isolated=no
    ! network_is_isolated "$2" || isolated=yes
    [ "$3" = "$isolated" ] || die "lab \"$1\" exists with another --isolated: lab.sh down --name $1"
  else
    with_lock networks network_create "$@"
  fi
  network_seal "$2" "$3"
}

network_bridge() { docker network inspect -f '{{printf "br-%.12s" .Id}}' "$1"; }

# Without these two the hosts are offline and hidden only as far as the routers
# beyond this machine let stray packets die, and silence is slow to test. Needs root
# on the engine's machine; elsewhere the lab works without. Repeated at every `up`,
# since neither outlives a reboot.
network_seal() {
  engine_is_local && command -v iptables >/dev/null || return 0
  local bridge
  bridge=$(network_bridge "$1")
  iptables -w -C DOCKER-USER -i "$bridge" ! -o "$bridge" -j REJECT 2>/dev/null ||
    iptables -w -I DOCKER-USER -i "$bridge" ! -o "$bridge" -j REJECT 2>/dev/null ||
    say "no chain DOCKER-USER: hosts that call the internet wait instead of failing"
  [ "$2" = no ] || ip -4 route replace unreachable "$(network_prefix "$1").0/24"
}

network_remove() {
  if engine_is_local && command -v iptables >/dev/null; then
    local bridge
    bridge=$(network_bridge "$1")
    iptables -w -D DOCKER-USER -i "$bridge" ! -o "$bridge" -j REJECT 2>/dev/null || true
    ! network_is_isolated "$1" || ip -4 route del unreachable "$(network_prefix "$1").0/24" 2>/dev/null || true
  fi
  docker network rm "$1" >/dev/null
}

network_create() {
  local lab=$1 network=$2 isolated=$3 start attempt octet said
  local options=(-o com.docker.network.bridge.enable_ip_masquerade=false)
  [ "$isolated" = no ] || options+=(-o com.docker.network.bridge.inhibit_ipv4=true)
  # Begins at a place of its own for every name, so that addresses tend to stay.
  start=$((0x$(sha256sum <<<"$network" | cut -c 1-4) % 250))
  for ((attempt = 0; attempt < 250; attempt++)); do
    octet=$(((start + attempt) % 250))
    ! network_routed "$SUBNET_PREFIX.$octet" || continue
    said=$(docker network create --label "$LAB_LABEL=$lab" --label "$LAB_LABEL.isolated=$isolated" \
      --subnet "$SUBNET_PREFIX.$octet.0/24" --gateway "$SUBNET_PREFIX.$octet.1" "${options[@]}" "$network" 2>&1) && return 0
    [[ $said == *overlap* || $said == *'already in use'* ]] || die "cannot create network $network: $said"
  done
  die "no free subnet in $SUBNET_PREFIX.0.0/16"
}

network_routed() {
  command -v ip >/dev/null || return 1
  ip -4 route show | grep -q "^$1\.0/24 "
}
