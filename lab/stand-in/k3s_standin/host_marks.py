"""What a running k3s leaves on a host outside its data directory, so that a reset has something to remove."""
import ipaddress
import os
import re
import subprocess
import uuid

from . import env, log
from .config import Config
from .unpack import unpack

_POD = "5cb6f1a0-57a1-4c1e-9d6e-57a9d1000001"


def _try(*command: str) -> bool:
    """Run a command, saying nothing when it fails: containers and tests lack many of these powers."""
    try:
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def leave(cfg: Config) -> None:
    """Files always; kernel state only on a real host (no AIRLIFT_STANDIN_ROOT) with the knob host_marks on."""
    for path, text in {"/var/lib/cni/networks/cbr0/last_reserved_ip.0": "10.42.0.2", "/var/lib/kubelet/cpu_manager_state": "{}",
                       "/run/flannel/subnet.env": "FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_MTU=1450\n",
                       f"/var/log/pods/kube-system_standin_{_POD}/standin/0.log": ""}.items():
        env.write(env.host(path), text)
    for path in ("/var/log/containers", f"/var/lib/kubelet/pods/{_POD}/volumes", "/run/k3s/containerd"):
        os.makedirs(env.host(path), exist_ok=True)
    env.write(cfg.path("agent/etc/containerd/config.toml"), "version = 3\n# stand-in\n", 0o600)
    env.write(cfg.path("agent/etc/cni/net.d/10-flannel.conflist"), '{"name":"cbr0","cniVersion":"1.0.0","plugins":[]}\n')
    env.write(cfg.path("agent/etc/crictl.yaml"), "runtime-endpoint: unix:///run/k3s/containerd/containerd.sock\n")
    _registries(cfg)
    if env.ROOT or not env.knobs()["host_marks"]:
        return
    _network(cfg["flannel-backend"])
    _mounts()
    _shim(cfg)
    _slice()


def _registries(cfg: Config) -> None:
    """registries.yaml becomes certs.d, as containerd reads it; a broken file is fatal, as with k3s."""
    from .yaml_lines import YamlError
    from .yaml_mini import load
    path = cfg["private-registry"] or env.host("/etc/rancher/k3s/registries.yaml")
    if not os.path.exists(path):
        return
    try:
        found = load(env.read(path)) or {}
        mirrors = found.get("mirrors") or {}
        for host, mirror in mirrors.items():
            lines = [f'server = "https://{host}/v2"' if host != "*" else "# every other registry"]
            for endpoint in (mirror or {}).get("endpoint") or []:
                url = endpoint if "://" in endpoint else "https://" + endpoint
                lines += ["", f'[host."{url.rstrip("/")}/v2"]', '  capabilities = ["pull", "resolve"]']
            env.write(cfg.path("agent/etc/containerd/certs.d", "_default" if host == "*" else host, "hosts.toml"), "\n".join(lines) + "\n")
    except (YamlError, AttributeError) as failure:
        log.fatal(f"Error: failed to load registry configuration from {path}: {failure}")


def _network(backend: str) -> None:
    if not os.path.exists("/sys/class/net/cni0"):
        _try("ip", "link", "add", "cni0", "type", "bridge") and _try("ip", "link", "set", "cni0", "up")
    if backend != "none" and not os.path.exists("/sys/class/net/flannel.1"):
        _try("ip", "link", "add", "flannel.1", "type", "vxlan", "id", "1", "dstport", "8472", "nolearning") or _try(
            "ip", "link", "add", "flannel.1", "type", "dummy")
        _try("ip", "link", "set", "flannel.1", "up")
    # -w: several tools hold the lock of xtables on a host that starts.
    for table, chain, base in (("filter", "KUBE-SERVICES", "INPUT"), ("filter", "KUBE-FORWARD", "FORWARD"),
                               ("filter", "FLANNEL-FWD", "FORWARD"), ("nat", "KUBE-SERVICES", "PREROUTING"),
                               ("nat", "FLANNEL-POSTRTG", "POSTROUTING")):
        if _try("iptables", "-w", "5", "-t", table, "-N", chain):
            _try("iptables", "-w", "5", "-t", table, "-A", base, "-m", "comment", "--comment", "kubernetes service portals", "-j", chain)
    if not any(name.startswith("cni-") for name in (os.listdir("/run/netns") if os.path.isdir("/run/netns") else [])):
        _try("ip", "netns", "add", f"cni-{uuid.uuid4()}")


def _mounts() -> None:
    for path in (f"/var/lib/kubelet/pods/{_POD}/volumes/kubernetes.io~projected/kube-api-access",
                 "/run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/standin/rootfs"):
        if not os.path.ismount(path):
            os.makedirs(path, exist_ok=True)
            _try("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path)


def _shim(cfg: Config) -> None:
    """One process that outlives the service (KillMode=process), below the directory of the version that started it."""
    path = os.path.join(unpack(cfg.data), "containerd-shim-runc-v2")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if "containerd-shim" in os.readlink(f"/proc/{pid}/exe") and os.readlink(f"/proc/{pid}/exe").startswith(cfg.data):
                return
        except OSError:
            continue
    try:
        subprocess.Popen([path, "2147483647"], start_new_session=True, stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, close_fds=True, cwd="/")
    except OSError as failure:
        log.warn(f"stand-in: no shim process: {failure}")


def _slice() -> None:
    """The kubelet's slice with a pod in it: under systemd it is a transient unit that outlives the service."""
    if os.path.isdir("/run/systemd/system"):
        _try("systemd-run", "--quiet", "--collect", "--unit", "cri-containerd-standin", "--slice", "kubepods-burstable.slice",
             "sleep", "2147483647")


def _for_pods(nameserver: str) -> bool:
    if nameserver == "169.254.169.254":
        return True
    try:
        ip = ipaddress.ip_address(nameserver)
    except ValueError:
        return False
    return "%" not in nameserver and str(ip) != "255.255.255.255" and not (
        ip.is_unspecified or ip.is_loopback or ip.is_link_local or ip.is_multicast)


def resolv_conf(cfg: Config) -> None:
    """With one nameserver that pods cannot reach in each file of the host, k3s writes its own with public ones, and warns."""
    if cfg["resolv-conf"]:
        if not os.path.exists(cfg["resolv-conf"]):
            log.fatal(f"Error: resolv-conf {cfg['resolv-conf']}: no such file or directory")
        return
    for path in (env.host("/etc/resolv.conf"), env.host("/run/systemd/resolve/resolv.conf")):
        found = re.findall(r"(?m)^nameserver\s+(\S+)", env.read(path))
        if found and all(_for_pods(one) for one in found):
            return
    log.warn("Host resolv.conf includes loopback, multicast, or link-local nameservers - kubelet will use autogenerated "
             "resolv.conf with nameservers 8.8.8.8 2001:4860:4860::8888")
    env.write(cfg.path("agent/etc/resolv.conf"), "nameserver 8.8.8.8\nnameserver 2001:4860:4860::8888\n")
