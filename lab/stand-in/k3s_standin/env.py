"""Where things are on the host, and the knobs that tests turn.

AIRLIFT_STANDIN_ROOT puts every absolute path below a directory, so that the unit tests need no root. With it set the
kernel is left alone as well: no links, mounts or iptables rules.
"""
import json
import os

ROOT = os.environ.get("AIRLIFT_STANDIN_ROOT", "").rstrip("/")

DEFAULTS = {
    "boot_ms": 700,         # process start to API answering
    "join_ms": 400,         # agent: configuration retrieved to Node registered
    "ready_ms": 400,        # Node registered to Ready
    "etcd_ms": 800,         # etcd directory created to bootstrap data saved: the window in which a kill is fatal
    "promote_ms": 15000,    # learner added to learner promoted, unless somebody asks for it
    "note_ms": 15000,       # how often the leader notes on the Nodes whether their members vote
    "leader_ms": 45000,     # for how long who led k3s' own controllers is waited for
    "addon_ms": 800,        # API up to the kube-system Deployments created
    "heartbeat_ms": 1000,   # Lease renewal of a node
    "lease_ms": 8000,       # etcd without a majority to the end of k3s, which has lost its leases
    "lost_ms": 10000,       # Lease age after which a node is Unknown
    "retry_ms": 1000,       # how often an agent asks again
    "reregister_ms": 5000,  # a deleted Node whose kubelet still runs comes back after this
    "ready": True,          # False: the Node never becomes Ready
    "api_ready": True,      # False: /readyz answers 500 for ever
    "crash_at": "",         # boot, join, etcd-bootstrap: exit 1 there
    "crash_once": False,    # the crash happens only the first time
    "hang_at": "",          # same places: stay there for ever
    "import_fails": "",     # archives with this in their name cannot be imported; k3s only logs that
    "host_marks": True,     # False: leave no links, mounts and rules behind
    "listen_ports": True,   # False: do not occupy 10250, 2379, 2380, 6444
    "gateway_port": 0,      # of etcd's JSON gateway, instead of 2382
}


def host(path: str) -> str:
    """The place of an absolute host path, below AIRLIFT_STANDIN_ROOT when that is set."""
    return ROOT + path


def knobs() -> dict:
    """DEFAULTS overlaid with /etc/rancher/standin.json, read anew each time so that a test can turn a knob while running."""
    merged = dict(DEFAULTS)
    try:
        with open(host("/etc/rancher/standin.json"), encoding="utf-8") as file:
            merged.update(json.load(file))
    except (OSError, ValueError):
        pass
    return merged


def seconds(name: str) -> float:
    """A knob given in milliseconds, as seconds."""
    return float(knobs()[name]) / 1000


def write(path: str, data, mode: int = 0o644) -> str:
    """Write text or bytes through a temporary file and a rename, making parents."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    raw = data if isinstance(data, bytes) else data.encode()
    temp = f"{path}.tmp{os.getpid()}"
    descriptor = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(raw)
    os.chmod(temp, mode)
    os.replace(temp, path)
    return path


def read(path: str, default: str = "") -> str:
    """The text of a file, or the default when it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return default
