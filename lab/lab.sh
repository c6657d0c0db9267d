#!/usr/bin/env bash
# Test machines for airlift: containers that boot systemd or OpenRC and sshd as a
# bare host does, on a Docker engine. See README.md in this folder.
set -euo pipefail

LAB_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly LAB_ROOT
for part in common engine images network keys hosts up commands faults; do
  # shellcheck source=/dev/null
  . "$LAB_ROOT/lib/$part.sh"
done

cmd_help() {
  cat <<'HELP'
usage: lab.sh COMMAND

machines
  up N [--name LAB] [--openrc M] [--bastion [--isolated]] [--with-password] [--tmpfs-small SIZE]
                     N hosts with systemd, M with OpenRC; prints hosts.json
  down [--name LAB | --all | --stopped]
                     --stopped: the labs of which no host runs
  list
  ssh HOST [COMMAND] over the network, as root
  exec HOST -- COMMAND
                     behind the network's back
  reboot HOST
  fresh HOST         the same name, address and host key, newly installed

faults
  cut HOST, heal HOST
                     pull the cable, plug it in
  netem HOST DELAY|off
                     slow network; exit 3 where the kernel cannot

what they stand on (done by `up` when needed)
  engine             a Docker engine that answers
  images [systemd|openrc|bastion]

LAB is airlift-lab unless --name is given; its hosts are LAB-1, LAB-2 …
HELP
}

main() {
  local command=${1:-help}
  (($# == 0)) || shift
  case $command in
    up | down | list | ssh | exec | reboot | fresh | cut | heal | netem | engine | images | help) "cmd_$command" "$@" ;;
    -h | --help) cmd_help ;;
    *) usage_error "unknown command \"$command\"" ;;
  esac
}

main "$@"
