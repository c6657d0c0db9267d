# shellcheck shell=bash
# `lab.sh engine`: a Docker engine that answers and can run privileged containers.

readonly ENGINE_WRAPPER=/usr/local/lib/airlift-lab/airlift-runc
readonly ENGINE_CONFIG=/etc/docker/daemon.json
readonly ENGINE_LOG=/var/log/airlift-lab-dockerd.log
readonly CAP_SYS_RESOURCE_BIT=24
# Every systemd host and every kubelet takes some; 128 is used up by the fourth host.
readonly INOTIFY_INSTANCES=8192

engine_answers() { docker info >/dev/null 2>&1; }

# Client and engine may be years apart. A pinned DOCKER_API_VERSION that the engine
# does not know is replaced by the one it names; a client that is too new for
# Debian's engine altogether is passed over for the one that came with it.
engine_settle_api() {
  command -v docker >/dev/null || return 1
  local said version
  said=$(docker info 2>&1 >/dev/null) && return 0
  version=$(grep -oE '(Maximum|Minimum) supported API version is [0-9.]+' <<<"$said" | grep -oE '[0-9]+\.[0-9]+' | head -1)
  if [ -n "$version" ]; then
    export DOCKER_API_VERSION=$version
    engine_answers && return 0
    unset DOCKER_API_VERSION
  fi
  [ -n "$version" ] && [ -x /usr/bin/docker ] && [ "$(command -v docker)" != /usr/bin/docker ] || return 1
  PATH=/usr/bin:$PATH
  hash -r
  engine_answers
}

lacks_sys_resource() {
  local mask
  mask=$(awk '/^CapBnd:/ {print $2}' /proc/self/status)
  (((0x$mask >> CAP_SYS_RESOURCE_BIT & 1) == 0))
}

# An engine on another machine has other capabilities, and is not ours to configure.
engine_is_local() {
  case ${DOCKER_HOST:-unix:///var/run/docker.sock} in
    unix:///var/run/docker.sock | unix:///run/docker.sock) is_root ;;
    *) return 1 ;;
  esac
}

engine_install() {
  local missing=()
  command -v dockerd >/dev/null || missing+=(docker.io)
  command -v iptables >/dev/null || missing+=(iptables)
  ((${#missing[@]} == 0)) || apt_install "${missing[@]}"
  command -v dockerd >/dev/null || die "no dockerd after installing docker.io"
}

# Puts the wrapper and its entry in daemon.json. Other settings there are kept.
# Succeeds when something changed.
engine_put_wrapper() {
  local source=$LAB_ROOT/runtime/airlift-runc changed=1
  command -v /usr/bin/python3 >/dev/null || apt_install python3
  if ! cmp -s "$source" "$ENGINE_WRAPPER"; then
    install -D -m 0755 "$source" "$ENGINE_WRAPPER"
    changed=0
  fi
  /usr/bin/python3 - "$ENGINE_CONFIG" "$ENGINE_WRAPPER" <<'PYTHON' && changed=0
import json, os, sys
path, wrapper = sys.argv[1:]
config = {}
if os.path.exists(path):
    with open(path) as source:
        config = json.load(source)
before = json.dumps(config, sort_keys=True)
config.setdefault("runtimes", {})["airlift-runc"] = {"path": wrapper}
config["default-runtime"] = "airlift-runc"
if json.dumps(config, sort_keys=True) == before:
    sys.exit(3)
os.makedirs(os.path.dirname(path), exist_ok=True)
with open(path + ".tmp", "w") as target:
    json.dump(config, target, indent=2)
os.replace(path + ".tmp", path)
PYTHON
  return "$changed"
}

# A running engine takes a new default runtime on SIGHUP, without a restart.
engine_fit_capabilities() {
  engine_is_local && lacks_sys_resource || return 0
  engine_put_wrapper || true
  [ "$(docker info -f '{{.DefaultRuntime}}' 2>/dev/null)" != airlift-runc ] || return 0
  say "no CAP_SYS_RESOURCE here: containers get a runtime without it"
  local pid
  pid=$(cat /var/run/docker.pid 2>/dev/null) && kill -HUP "$pid" 2>/dev/null || return 0
  wait_until 10 engine_has_wrapper || die "the engine did not take the runtime of $ENGINE_CONFIG: restart dockerd"
}

engine_has_wrapper() { [ "$(docker info -f '{{.DefaultRuntime}}' 2>/dev/null)" = airlift-runc ]; }

engine_raise_inotify() {
  local knob=/proc/sys/fs/inotify/max_user_instances
  is_root && [ "$(cat "$knob")" -lt "$INOTIFY_INSTANCES" ] || return 0
  echo "$INOTIFY_INSTANCES" >"$knob" 2>/dev/null ||
    say "cannot raise fs.inotify.max_user_instances to $INOTIFY_INSTANCES: at most three hosts will work"
}

engine_start() {
  engine_install
  if lacks_sys_resource; then
    say "no CAP_SYS_RESOURCE here: containers get a runtime without it"
    engine_put_wrapper || true
  fi
  if engine_settle_api; then # the package's own script may have started it
    engine_fit_capabilities
  elif [ -d /run/systemd/system ]; then
    systemctl start docker || die "systemctl could not start docker: see journalctl -u docker"
  else
    say "starting dockerd, log in $ENGINE_LOG"
    # A stale pid file of a dockerd that was killed would stop the new one.
    local pid
    pid=$(cat /var/run/docker.pid 2>/dev/null) && [ ! -d "/proc/$pid" ] && rm -f /var/run/docker.pid
    setsid dockerd </dev/null >"$ENGINE_LOG" 2>&1 9>&- & # 9: the lock
  fi
  wait_until 60 engine_settle_api ||
    die "dockerd does not answer after 60 s: $(tail -n 2 "$ENGINE_LOG" 2>/dev/null | tr '\n' ' ')"
}

ensure_engine() {
  if engine_settle_api; then
    engine_fit_capabilities
  elif [ -n "${DOCKER_HOST:-}" ] && ! engine_is_local; then
    die "the engine at DOCKER_HOST=$DOCKER_HOST does not answer"
  elif ! is_root; then
    die "no Docker engine answers and this is not root: start one, or add $(id -un) to the group docker"
  else
    with_lock engine engine_start_once
    engine_settle_api # what the locked subshell found out is lost here
  fi
  engine_raise_inotify
}

engine_start_once() { engine_settle_api || engine_start; }

cmd_engine() {
  (($# == 0)) || usage_error "engine takes no arguments"
  ensure_engine
  docker version -f '{{.Server.Version}}' | sed 's/^/docker /'
}
