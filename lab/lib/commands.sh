# shellcheck shell=bash
# `lab.sh list`, `ssh`, `exec`, `reboot`, `fresh`: what concerns one host.

cmd_list() {
  (($# == 0)) || usage_error "list takes no arguments"
  engine_settle_api || die "no Docker engine answers: lab.sh engine"
  docker ps -a --filter "label=$LAB_LABEL" --format \
    "{{.Label \"$LAB_LABEL\"}} {{.Names}} {{.Label \"$LAB_LABEL.kind\"}} {{.Label \"$LAB_LABEL.ip\"}} {{.State}}" |
    sort -V | awk 'BEGIN { line = "%-20s %-24s %-8s %-15s %s\n"; printf line, "LAB", "HOST", "KIND", "IP", "STATE" }
                   { printf line, $1, $2, $3, $4, $5 }'
}

cmd_exec() {
  local host=${1:-}
  require_host "$host"
  shift
  [ "${1:-}" != -- ] || shift
  (($# > 0)) || usage_error "exec $host -- what?"
  local options=(-i)
  [ ! -t 0 ] || [ ! -t 1 ] || options+=(-t)
  exec docker exec "${options[@]}" "$host" "$@"
}

cmd_ssh() {
  local host=${1:-}
  require_host "$host"
  shift
  [ "${1:-}" != -- ] || shift
  need ssh
  exec ssh -F "$(lab_dir "$(host_label "$host" '')")/ssh_config" "$host" "$@"
}

cmd_reboot() {
  require_host "${1:-}"
  docker restart -t 10 "$1" >/dev/null
  host_wait "$1" "$BOOT_SECONDS"
}

# The same machine, installed anew: name, address and host key stay.
cmd_fresh() {
  require_host "${1:-}"
  local host=$1 lab kind ip password disk
  lab=$(host_label "$host" '')
  kind=$(host_label "$host" .kind)
  ip=$(host_label "$host" .ip)
  password=$(host_label "$host" .password)
  disk=$(host_label "$host" .disk)
  ensure_image "$kind"
  host_remove "$host"
  up_host "$lab" "$host" "$kind" "$ip" "$password" "$disk"
}
