"""Ports that k3s occupies beside its main one, so that a busy port is met here as it is there."""
import errno
import socket

from . import env
from .bootstrap import BootstrapError
from .config import Config

_held = []


def occupy(cfg: Config, main: int, server: bool) -> None:
    """Hold kubelet's ports and etcd's. BootstrapError when one is taken."""
    if main:
        _probe("0.0.0.0", main, keep=False)
    if not env.knobs()["listen_ports"]:
        return
    wanted = []
    if not cfg["disable-agent"]:
        wanted += [("0.0.0.0", 10250), ("127.0.0.1", 10248)]
    if server and (cfg["cluster-init"] or cfg["server"]):
        wanted += [("0.0.0.0", 2379), ("0.0.0.0", 2380)]
    for address, port in wanted:
        _probe(address, port, keep=True)


def _probe(address: str, port: int, keep: bool) -> None:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((address, port))
        sock.listen(8)
    except OSError as failure:
        sock.close()
        if failure.errno == errno.EADDRINUSE:
            raise BootstrapError(f"listen tcp {address}:{port}: bind: address already in use") from None
        raise BootstrapError(f"listen tcp {address}:{port}: {failure.strerror}") from None
    if keep:
        _held.append(sock)
    else:
        sock.close()
