# shellcheck shell=bash
# What every part of the lab needs: words on stderr, names, the docker client.

# Settings, each one overridable from the environment. A user who is not root
# keeps everything below the home directory.
if [ "$(id -u)" = 0 ]; then
  : "${AIRLIFT_LAB_CACHE:=/var/cache/airlift-lab}" # base root filesystem, locks
  : "${AIRLIFT_LAB_HOME:=/var/lib/airlift-lab}"    # one folder per lab, unless AIRLIFT_LAB_DIR names it
else
  : "${AIRLIFT_LAB_CACHE:=${XDG_CACHE_HOME:-$HOME/.cache}/airlift-lab}"
  : "${AIRLIFT_LAB_HOME:=${XDG_DATA_HOME:-$HOME/.local/share}/airlift-lab}"
fi
: "${AIRLIFT_LAB_SUITE:=bookworm}"                # Debian release of the hosts
: "${AIRLIFT_LAB_MIRROR:=http://deb.debian.org/debian}"
readonly AIRLIFT_LAB_CACHE AIRLIFT_LAB_HOME AIRLIFT_LAB_SUITE AIRLIFT_LAB_MIRROR

# shellcheck disable=SC2034 # read by the other parts
readonly LAB_LABEL=airlift.lab DEFAULT_LAB=airlift-lab

say() { printf 'lab: %s\n' "$*" >&2; }

die() {
  printf 'lab: error: %s\n' "$*" >&2
  exit 1
}

usage_error() {
  printf 'lab: error: %s\n       see: lab.sh help\n' "$*" >&2
  exit 2
}

is_root() { [ "$(id -u)" = 0 ]; }

# need TOOL...: root on Debian gets what is missing, everybody else is told.
need() {
  local tool
  for tool in "$@"; do
    ! command -v "$tool" >/dev/null || continue
    command -v apt-get >/dev/null || die "$tool is missing: install it"
    apt_install "$(package_of "$tool")"
  done
}

package_of() {
  case $1 in
    ssh | ssh-keygen) echo openssh-client ;;
    *) echo "$1" ;;
  esac
}

# apt_install PACKAGE...: without questions; updates the index only when that is needed.
apt_install() {
  is_root || die "missing, and only root can install: apt-get install $*"
  say "installing $*"
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@")
  "${apt[@]}" >/dev/null 2>&1 || { apt-get update -q >/dev/null && "${apt[@]}" >/dev/null; } ||
    die "apt-get could not install: $*"
}

# A lab's name becomes names of containers, networks and folders.
check_name() {
  [[ $1 =~ ^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$ ]] ||
    usage_error "bad lab name \"$1\": use lower-case letters, digits and dashes, at most 32"
}

check_number() {
  [[ $2 =~ ^[0-9]{1,3}$ ]] || usage_error "$1 must be a number, not \"$2\""
}

# Folder of a lab: its key, known_hosts, ssh_config and hosts.json.
lab_dir() { printf '%s\n' "${AIRLIFT_LAB_DIR:-$AIRLIFT_LAB_HOME/$1}"; }

# wait_until SECONDS COMMAND...: polls every 100 ms.
wait_until() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < end)) || return 1
    sleep 0.1
  done
}

# Runs the rest of the line under an exclusive lock, so that tests that start
# at the same time do not build one image twice or choose one subnet twice. The
# lock lives as long as descriptor 9: daemons are started with it closed.
with_lock() {
  local name=$1
  shift
  mkdir -p "$AIRLIFT_LAB_CACHE"
  (
    flock 9
    "$@"
  ) 9>"$AIRLIFT_LAB_CACHE/.lock-$name"
}
