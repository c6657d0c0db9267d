"""An agent's load balancer on 127.0.0.1:6444: the way from a worker to whichever server answers."""
import socket
import threading

from . import env
from .bootstrap import BootstrapError
from .config import Config


class Balancer:
    """Forwards connections to the first of `servers()` (host:port texts) that takes one."""

    def __init__(self, cfg: Config, servers):
        self.servers = servers
        # Where ports are not to be occupied (several nodes share one machine) any free port does.
        port = int(cfg["lb-server-port"] or 6444) if env.knobs()["listen_ports"] else 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self.socket.bind(("127.0.0.1", port))
        except OSError as failure:
            raise BootstrapError(f"listen tcp 127.0.0.1:{port}: bind: {failure.strerror.lower()}") from None
        self.socket.listen(64)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self.socket.accept()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        for server in list(self.servers()):
            host, _, port = server.rpartition(":")
            try:
                upstream = socket.create_connection((host.strip("[]"), int(port)), timeout=3)
            except OSError:
                continue
            upstream.settimeout(None)
            threading.Thread(target=_pump, args=(upstream, client), daemon=True).start()
            _pump(client, upstream)
            return
        client.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    for sock in (source, target):
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
