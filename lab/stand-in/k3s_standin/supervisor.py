"""The one TLS port of a server: supervisor paths, peers' paths and the Kubernetes API behind client certificates."""
import base64
import http.server
import json
import os
import socket
import ssl
import urllib.parse

from . import log
from .kube import ApiError


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


class Listener(http.server.ThreadingHTTPServer):
    """`routes(request)` answers; TLS is shaken in the request's own thread, so a slow client blocks nobody."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: str, port: int, routes, tls: ssl.SSLContext):
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.routes = routes
        self.tls = tls
        self.stopping = False
        super().__init__((address, port), Request)

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            # "::" is every address, as with Go.
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def get_request(self):
        sock, peer = super().get_request()
        sock.settimeout(60)
        return self.tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False), peer

    def handle_error(self, request, client_address) -> None:
        return None


class Request(http.server.BaseHTTPRequestHandler):
    """One connection. `user` is (name, groups) from a verified client certificate, or None."""

    protocol_version = "HTTP/1.1"
    server_version = "k3s-stand-in"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        try:
            self.connection.do_handshake()
        except (OSError, ssl.SSLError) as failure:
            log.info(f"Cluster-Http-Server http: TLS handshake error from {self.client_address[0]}: {failure}")
            raise
        self.user = self._user()

    def _user(self):
        subject = (self.connection.getpeercert() or {}).get("subject", ())
        pairs = [pair for entry in subject for pair in entry]
        names = [value for key, value in pairs if key == "commonName"]
        return (names[0], [value for key, value in pairs if key == "organizationName"]) if names else None

    def _answer(self) -> None:
        self.url = urllib.parse.urlsplit(self.path)
        self.method = self.command
        self._read = None
        try:
            self.server.routes(self)
        except ApiError as failure:
            self.send(failure.code, failure.status())
        except (BrokenPipeError, ConnectionError, ssl.SSLError):
            self.close_connection = True
        except Exception as failure:  # a bug must be seen in the log and must not hang the client
            log.error(f"internal error on {self.command} {self.path}: {failure!r}")
            self.send(500, ApiError(500, "InternalError", repr(failure)).status())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

    def log_message(self, format, *args) -> None:
        return None

    def body(self) -> bytes:
        """The request's body, also when it is chunked."""
        if self._read is None:
            if "chunked" in self.headers.get("Transfer-Encoding", ""):
                parts = []
                while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                self._read = b"".join(parts)
            else:
                self._read = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return self._read

    def json(self):
        try:
            return json.loads(self.body() or b"null")
        except ValueError:
            raise ApiError(400, "BadRequest", "the body is not JSON") from None

    def basic(self) -> tuple:
        """User and password of basic authentication, or two empty strings."""
        kind, _, text = self.headers.get("Authorization", "").partition(" ")
        if kind != "Basic":
            return "", ""
        try:
            user, _, password = base64.b64decode(text).decode().partition(":")
        except ValueError:
            return "", ""
        return user, password

    def send_raw(self, code: int, data: bytes, kind: str = "text/plain") -> None:
        self.body()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        if code == 401 and not self.url.path.startswith(("/api", "/readyz", "/livez")):
            self.send_header("WWW-Authenticate", 'Basic realm="k3s"')
        self.end_headers()
        self.wfile.write(data)

    def send(self, code: int, value) -> None:
        self.send_raw(code, json.dumps(value).encode() + b"\n", "application/json")

    def begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def stream(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def end_stream(self) -> None:
        self.wfile.write(b"0\r\n\r\n")


def server_tls(cert: str, key: str, client_ca: str) -> ssl.SSLContext:
    """A context that asks for client certificates without demanding one."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(cert, key)
    made.load_verify_locations(client_ca)
    made.verify_mode = ssl.CERT_OPTIONAL
    # Python's client checks a reused session less often than it fails on a renewed certificate.
    made.num_tickets = 0
    return made


def send_static(request: Request, directory: str) -> None:
    """A file below server/static, to anybody."""
    path = os.path.normpath(os.path.join(directory, request.url.path[len("/static/"):]))
    if not path.startswith(directory + os.sep) or not os.path.isfile(path):
        return request.send_raw(404, b"404 page not found\n")
    with open(path, "rb") as file:
        return request.send_raw(200, file.read(), "application/octet-stream")
