"""etcd's metrics listener on loopback: `/health` and the one metric that tells whether there is a leader."""
import http.server
import json
import threading

from . import env
from .bootstrap import BootstrapError

ADDRESS = ("127.0.0.1", 2381)


def listen(quorum) -> None:
    """Serve in the background; `quorum` is asked at every request. Off where several servers share one computer."""
    if not env.knobs()["listen_ports"]:
        return

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            led = quorum()
            if self.path == "/health":
                body = {"health": "true" if led else "false", "reason": "" if led else "RAFT NO LEADER"}
                self._answer(200 if led else 503, json.dumps(body))
            elif self.path == "/metrics":
                self._answer(200, f"etcd_server_has_leader {int(led)}\n")
            else:
                self._answer(404, "404 page not found\n")

        def _answer(self, code: int, text: str) -> None:
            self.send_response(code)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_args) -> None:
            pass

    try:
        server = http.server.ThreadingHTTPServer(ADDRESS, Handler)
    except OSError as failure:
        raise BootstrapError(f"listen tcp 127.0.0.1:2381: {failure.strerror}") from None
    threading.Thread(target=server.serve_forever, daemon=True).start()
