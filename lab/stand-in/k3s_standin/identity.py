"""What a node calls itself and where it is reached."""
import os
import secrets
import socket

from . import env
from .config import Config


class IdentityError(RuntimeError):
    """No name or address can be found; the text is what k3s logs."""


def node_name(cfg: Config) -> str:
    """node-name or the host's name in lower case, with the node's id where with-node-id asks for it."""
    name = (cfg["node-name"] or socket.gethostname()).lower()
    if cfg["with-node-id"]:
        path = env.host("/etc/rancher/node/id")
        if not os.path.exists(path):
            env.write(path, secrets.token_hex(4) + "\n")
        name += "-" + env.read(path).strip()
    return name


def node_password() -> str:
    """The node's password, made once. It outlives an uninstall, as with k3s."""
    path = env.host("/etc/rancher/node/password")
    if not os.path.exists(path):
        env.write(path, secrets.token_hex(16) + "\n", 0o600)
    return env.read(path).strip()


def node_ips(cfg: Config) -> list:
    """node-ip, or the address that the default route leads out from."""
    if cfg["node-ip"]:
        return cfg["node-ip"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("203.0.113.1", 9))
            return [sock.getsockname()[0]]
        except OSError:
            pass
    raise IdentityError("failed to find interface with default route: unable to select an IP from default routes.")


def check_families(pods: list, services: list, ips: list) -> None:
    """IdentityError where k3s' agent ends itself: services of other families than the pods, or a node without one of them."""
    def families(networks):
        return {6 if ":" in network else 4 for network in networks}
    tail = "must share the same IP version (IPv4, IPv6 or dual-stack)"
    if families(pods) != families(services):
        raise IdentityError(f"cluster-cidr: {pods} and service-cidr: {services}, {tail}")
    if not families(pods) <= families(ips):
        raise IdentityError(f"cluster-cidr: {pods} and node-ip: {ips}, {tail}")


def addresses(cfg: Config) -> list:
    """(type, address) pairs of the Node."""
    pairs = [("InternalIP", ip) for ip in node_ips(cfg)] + [("ExternalIP", ip) for ip in cfg["node-external-ip"]]
    return pairs + [("InternalDNS", n) for n in cfg["node-internal-dns"]] + [("ExternalDNS", n) for n in cfg["node-external-dns"]]


def advertised(cfg: Config) -> str:
    """host:port under which other nodes reach this server."""
    host = cfg["advertise-address"] or (cfg["node-external-ip"] or node_ips(cfg))[0]
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{cfg['advertise-port'] or cfg.port}"
