# shellcheck shell=bash
# One lab host: a container that boots its own init, with a fixed name, address and
# host key. All that is needed to make it again stands in its labels.

# lab_hosts LAB: "name ip kind" of every host, hosts first and in order.
lab_hosts() {
  docker ps -a --filter "label=$LAB_LABEL=$1" \
    --format "{{.Names}} {{.Label \"$LAB_LABEL.ip\"}} {{.Label \"$LAB_LABEL.kind\"}}" | sort -V
}

host_label() { docker inspect -f "{{index .Config.Labels \"$LAB_LABEL$2\"}}" "$1" 2>/dev/null; }

# require_host HOST: refuses what is not a lab host, so that no other container is harmed.
require_host() {
  [ -n "${1:-}" ] || usage_error "a host is missing, such as $DEFAULT_LAB-1"
  # Where it is found, an engine answers.
  [ -z "$(host_label "$1" '')" ] || return 0
  engine_settle_api || die "no Docker engine answers: lab.sh engine"
  [ -n "$(host_label "$1" '')" ] || die "no lab host \"$1\": see lab.sh list"
}

# host_create LAB HOST KIND IP PASSWORD(yes|no) DISK(size or empty)
#
# /var/lib is one volume: overlayfs cannot lie on overlayfs, and what is staged in
# /var/lib/airlift is hard-linked into /var/lib/rancher, so they share a filesystem.
host_create() {
  local lab=$1 host=$2 kind=$3 ip=$4 password=$5 disk=$6 network=$1
  local volume="type=volume,source=$host-var-lib,target=/var/lib,volume-label=$LAB_LABEL=$lab"
  [ -z "$disk" ] || volume+=",volume-opt=type=tmpfs,volume-opt=device=tmpfs,volume-opt=o=size=$disk"
  [ "$kind" != bastion ] || network=$lab-edge
  docker create --name "$host" --hostname "$host" \
    --label "$LAB_LABEL=$lab" --label "$LAB_LABEL.kind=$kind" --label "$LAB_LABEL.ip=$ip" \
    --label "$LAB_LABEL.password=$password" --label "$LAB_LABEL.disk=$disk" \
    --network "$network" --ip "$ip" --privileged --cgroupns=private --env container=docker \
    --tmpfs /run:mode=755 --tmpfs /run/lock --tmpfs /tmp:exec,mode=1777 --mount "$volume" \
    "$(image_tag "$kind")" >/dev/null
  [ "$kind" != bastion ] || docker network connect --ip "$(network_prefix "$lab").$BASTION_OCTET" "$lab" "$host"
  host_identity "$lab" "$host" "$kind" "$password" | docker cp - "$host:/"
}

# host_identity LAB HOST KIND PASSWORD: a tar of what makes this host itself.
host_identity() {
  local dir root home user
  dir=$(lab_dir "$1")
  root=$(mktemp -d)
  mkdir -p "$root/etc/ssh/sshd_config.d" "$root/files"
  cp "$dir/host-keys/$2" "$root/etc/ssh/ssh_host_ed25519_key"
  cp "$dir/host-keys/$2.pub" "$root/etc/ssh/ssh_host_ed25519_key.pub"
  tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
  chmod 0444 "$root/etc/machine-id"
  [ "$4" = no ] || echo 'PermitRootLogin yes' >"$root/etc/ssh/sshd_config.d/00-password.conf"
  tar -C "$root" --owner=0 --group=0 -cf "$root.tar" etc/machine-id etc/ssh/ssh_host_ed25519_key{,.pub} etc/ssh/sshd_config.d
  # Users have the numbers that useradd gave them in the image, in this order.
  local owner=1000
  for user in root ops deploy nosudo; do
    home=home/$user
    [ "$user" != root ] || home=root
    mkdir -p "$root/$home/.ssh"
    install -m 0600 "$dir/id_ed25519.pub" "$root/$home/.ssh/authorized_keys"
    if [ "$user" = root ]; then
      tar -C "$root" --owner=0 --group=0 -rf "$root.tar" "$home/.ssh/authorized_keys"
    else
      tar -C "$root" --owner=$owner --group=$owner -rf "$root.tar" "$home/.ssh/authorized_keys"
      owner=$((owner + 1))
    fi
  done
  cat "$root.tar"
  rm -rf "$root" "$root.tar"
}

host_remove() {
  docker rm -f -v "$1" >/dev/null
  docker volume rm -f "$1-var-lib" >/dev/null
}

host_running() { [ "$(docker inspect -f '{{.State.Running}}' "$1" 2>/dev/null)" = true ]; }

# host_wait HOST SECONDS: until sshd answers. Over the network when there is a way,
# else (isolated lab, engine on another machine) from inside.
host_wait() {
  local host=$1 end=$((SECONDS + $2)) ip direct=yes
  ip=$(host_label "$host" .ip)
  host_is_reachable "$host" || direct=no
  while ((SECONDS < end)); do
    if [ $direct = yes ]; then
      sshd_greets "$ip" && return 0
    else
      docker exec "$host" timeout 5 sh -c 'until ss -Hltn "sport = :22" | grep -q .; do sleep 0.1; done' 2>/dev/null && return 0
    fi
    host_running "$host" || die "$host stopped while booting: docker logs $host"
    sleep 0.1
  done
  die "sshd of $host does not answer after $2 s: lab.sh exec $host -- journalctl -b"
}

# A direct way exists where this machine has a route into the host's own subnet.
host_is_reachable() {
  local kind network
  kind=$(host_label "$1" .kind)
  network=$(host_label "$1" '')
  [ "$kind" != bastion ] || network+=-edge
  network_routed "$(network_prefix "$network")"
}

sshd_greets() {
  # shellcheck disable=SC2016 # expanded by the inner shell
  timeout 1 bash -c 'exec 3<>"/dev/tcp/$0/22" && IFS= read -r line <&3 && [[ $line == SSH-* ]]' "$1" 2>/dev/null
}
