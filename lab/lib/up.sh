# shellcheck shell=bash
# `lab.sh up` and `down`: whole labs.

readonly BOOT_SECONDS=60

cmd_up() {
  local count='' lab=$DEFAULT_LAB openrc=0 bastion=no isolated=no password=no disk=''
  while (($# > 0)); do
    case $1 in
      --name) lab=${2:?--name needs a value} && shift ;;
      --openrc) openrc=${2:?--openrc needs a number} && shift ;;
      --bastion) bastion=yes ;;
      --isolated) isolated=yes ;;
      --with-password) password=yes ;;
      --tmpfs-small) disk=${2:?--tmpfs-small needs a size such as 300m} && shift ;;
      -*) usage_error "unknown flag $1" ;;
      *)
        [ -z "$count" ] || usage_error "one number of hosts, not \"$count\" and \"$1\""
        count=$1
        ;;
    esac
    shift
  done
  : "${count:=0}"
  check_name "$lab"
  check_number "number of hosts" "$count"
  check_number --openrc "$openrc"
  ((count + openrc > 0)) || usage_error "how many hosts? lab.sh up 3"
  ((count + openrc <= 200)) || usage_error "at most 200 hosts in a lab, not $((count + openrc))"
  [[ $disk =~ ^([0-9]+[kmg])?$ ]] || usage_error "bad size \"$disk\": use 300m or 2g"
  [ "$isolated" = no ] || [ "$bastion" = yes ] || usage_error "--isolated needs --bastion, else nothing reaches the hosts"
  ensure_engine
  ((count == 0)) || ensure_image systemd
  ((openrc == 0)) || ensure_image openrc
  [ "$bastion" = no ] || ensure_image bastion
  with_lock "lab-$lab" up_locked "$lab" "$count" "$openrc" "$bastion" "$isolated" "$password" "$disk"
  cat "$(lab_dir "$lab")/hosts.json"
}

up_locked() {
  local lab=$1 count=$2 openrc=$3 bastion=$4 isolated=$5 password=$6 disk=$7
  local dir prefix index kind job jobs=() failed=0
  dir=$(lab_dir "$lab")
  ensure_lab_key "$dir"
  ensure_network "$lab" "$lab" "$isolated"
  prefix=$(network_prefix "$lab")
  if [ "$bastion" = yes ]; then
    ensure_network "$lab" "$lab-edge" no
    up_host "$lab" "$lab-bastion" bastion "$(network_prefix "$lab-edge").$BASTION_OCTET" "$password" '' &
    jobs+=($!)
  fi
  for ((index = 1; index <= count + openrc; index++)); do
    kind=systemd
    ((index <= count)) || kind=openrc
    up_host "$lab" "$lab-$index" "$kind" "$prefix.$((FIRST_HOST_OCTET + index - 1))" "$password" "$disk" &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do
    wait "$job" || failed=$((failed + 1))
  done
  ((failed == 0)) || die "$failed of ${#jobs[@]} hosts of \"$lab\" did not come up"
  write_inventory "$lab"
}

# up_host: as host_create, and booted. What is there is kept as it is.
up_host() {
  local lab=$1 host=$2
  if [ -z "$(host_label "$host" .kind)" ]; then
    say "creating $host"
    ensure_host_key "$(lab_dir "$lab")" "$host"
    host_create "$@"
  elif [ "$(host_label "$host" .kind)" != "$3" ]; then
    die "$host exists and is $(host_label "$host" .kind), not $3: lab.sh down --name $lab"
  fi
  host_running "$host" || docker start "$host" >/dev/null
  host_wait "$host" "$BOOT_SECONDS"
}

cmd_down() {
  local labs=("$DEFAULT_LAB") lab how=down_locked
  while (($# > 0)); do
    case $1 in
      --name) labs=("${2:?--name needs a value}") && shift ;;
      --all) mapfile -t labs < <(lab_names) ;;
      --stopped) how=down_stopped_locked && mapfile -t labs < <(lab_names) ;;
      *) usage_error "unknown argument $1" ;;
    esac
    shift
  done
  engine_settle_api || die "no Docker engine answers: lab.sh engine"
  for lab in "${labs[@]}"; do
    check_name "$lab"
    with_lock "lab-$lab" "$how" "$lab"
  done
}

lab_names() {
  {
    docker ps -a --filter "label=$LAB_LABEL" --format "{{.Label \"$LAB_LABEL\"}}"
    docker network ls --filter "label=$LAB_LABEL" --format "{{.Label \"$LAB_LABEL\"}}"
    docker volume ls --filter "label=$LAB_LABEL" --format "{{.Label \"$LAB_LABEL\"}}"
  } | sort -u
}

# One of which a host runs is left alone. The others are what a computer that was switched off left behind.
down_stopped_locked() {
  [ -n "$(docker ps -q --filter "label=$LAB_LABEL=$1")" ] || down_locked "$1"
}

down_locked() {
  local filter="label=$LAB_LABEL=$1" dir found network
  mapfile -t found < <(docker ps -aq --filter "$filter")
  ((${#found[@]} == 0)) || docker rm -f -v "${found[@]}" >/dev/null
  mapfile -t found < <(docker volume ls -q --filter "$filter")
  ((${#found[@]} == 0)) || docker volume rm -f "${found[@]}" >/dev/null
  mapfile -t found < <(docker network ls -q --filter "$filter")
  for network in "${found[@]}"; do
    network_remove "$network"
  done
  dir=$(lab_dir "$1")
  # Only what the lab wrote: AIRLIFT_LAB_DIR may be a folder with other things in it.
  rm -rf "$dir/host-keys"
  rm -f "$dir"/{hosts.json,ssh_config,known_hosts,id_ed25519,id_ed25519.pub}
  rmdir "$dir" 2>/dev/null || true
}
