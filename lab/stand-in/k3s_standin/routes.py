"""What the TLS port answers, path by path, and to whom."""
import hashlib
import hmac
import os
import time

from . import env, etcd_gateway, log, snapshots, version
from .authorize import authorize
from .etcd import NoQuorum
from .kube import ApiError
from .kube_http import health
from .nodes import check_password, kubelet_certificate
from .supervisor import Request, send_static, unauthorized


def error(code: int, message: str) -> ApiError:
    return ApiError(code, {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound",
                           503: "ServiceUnavailable"}.get(code, "InternalError"), message)


class Routes:
    """`server` is the Server whose state is served."""

    def __init__(self, server):
        self.server = server

    def __call__(self, request: Request) -> None:
        path = request.url.path
        if path == "/ping":
            return request.send_raw(200, b"pong")
        if path == "/cacerts":
            return request.send_raw(200, self.server.ca_pem())
        if path.startswith("/static/"):
            return send_static(request, self.server.cfg.path("server/static"))
        if path.startswith("/v1-standin/"):
            return self._peer(request, path[len("/v1-standin/"):])
        if path.startswith("/v1-k3s/"):
            return self._supervisor(request, path[len("/v1-k3s/"):])
        if path.startswith("/db/"):
            return self._database(request, path[len("/db/"):])
        return self._kube(request, path)

    # -- Kubernetes -----------------------------------------------------------------------------------------------

    def _kube(self, request: Request, path: str) -> None:
        if not self.server.api_up.is_set():
            raise error(503, "apiserver not ready")
        if request.user is None:
            raise unauthorized()
        authorize(request, request.user)
        first = path.strip("/").partition("/")[0]
        if first in ("readyz", "livez", "healthz"):
            code, text = health(path, self.server.quorum(), "verbose" in request.url.query)
            return request.send_raw(code, text.encode())
        if not self.server.quorum():
            time.sleep(0.3)
            raise error(500, "etcdserver: request timed out")
        try:
            return self.server.api.handle(request)
        except NoQuorum as failure:
            raise error(500, str(failure)) from None

    # -- supervisor -----------------------------------------------------------------------------------------------

    def role(self, request: Request) -> str:
        """server, agent, or an empty string for credentials that open nothing."""
        user, password = request.basic()
        tokens = self.server.tokens()
        if user == "server" and hmac.compare_digest(password, tokens["server"]):
            return "server"
        if user in ("node", "server", "") and password:
            if hmac.compare_digest(password, tokens["agent"]) or (user != "server" and hmac.compare_digest(password, tokens["server"])):
                return "agent"
            if user != "server" and password in self.server.bootstrap_tokens():
                return "agent"
        return ""

    def _supervisor(self, request: Request, name: str) -> None:
        role = self.role(request)
        node = request.user and request.user[0].startswith("system:node:")
        if not role and not node:
            raise error(401, "not authorized")
        if name in ("server-bootstrap", "token", "cert/cacerts", "config-check") and role != "server":
            raise error(401, "not authorized")
        if name == "readyz":
            if not self.server.api_up.is_set() or not self.server.quorum():
                raise error(503, "runtime core not ready")
            return request.send_raw(200, b"ok")
        if name in ("server-ca.crt", "client-ca.crt"):
            return request.send_raw(200, env.read(self.server.cfg.path("server/tls", name)).encode())
        if name == "server-bootstrap":
            return request.send(200, self.server.bootstrap_data())
        if not self.server.supervisor_up.is_set():
            raise error(503, "runtime core not ready")
        if name == "config":
            return request.send(200, self.server.agent_config())
        if name == "apiservers":
            return request.send(200, self.server.addresses())
        if name in ("client-kubelet.crt", "serving-kubelet.crt"):
            return self._node_certificate(request, name)
        if name == "token" and request.method == "PUT":
            self.server.rotate_token((request.json() or {}).get("newToken") or "")
            return request.send_raw(200, b"")
        raise error(404, "the server could not find the requested resource")

    def _node_certificate(self, request: Request, name: str) -> None:
        node = request.headers.get("k3s-Node-Name", "").lower()
        password = request.headers.get("k3s-Node-Password", "")
        theirs = request.headers.get("X-Standin-Version", "")
        if version.minor(theirs) > version.minor():
            raise error(400, f"agent version {theirs} is newer than server version {version.VERSION}: "
                             "a kubelet must not be newer than the API server")
        if version.minor() - version.minor(theirs) > 3:
            raise error(400, f"agent version {theirs} is more than three minors older than server {version.VERSION}")
        if not node or not password:
            raise error(400, "node name not set" if not node else "node password not set")
        if not self.server.quorum() or not self.server.api_up.is_set():
            raise error(503, "runtime core not ready")
        if not check_password(self.server.kube, node, password):
            log.error(f"Node password validation failed for {node}: hash does not match")
            raise error(403, "Node password rejected, duplicate hostname or contents of '/etc/rancher/node/password' may not "
                             "match server node-passwd entry, try enabling a unique node name with the --with-node-id flag")
        pem = kubelet_certificate(self.server.cfg.path("server/tls"), node, name == "serving-kubelet.crt",
                                  request.headers.get("k3s-Node-IP", ""))
        return request.send_raw(200, pem)

    # -- the datastore --------------------------------------------------------------------------------------------

    def _database(self, request: Request, name: str) -> None:
        if self.server.etcd is None:
            raise error(400, "etcd datastore disabled")
        # As in k3s, callers on the machine itself need no credentials; without a majority it names only itself.
        if request.client_address[0] not in ("127.0.0.1", "::1", "::ffff:127.0.0.1") and self.role(request) != "server":
            raise error(401, "not authorized")
        if name == "info":
            members = self.server.etcd.members()
            if not self.server.quorum():
                members = [member for member in members if member["name"] == self.server.etcd.me]
            return request.send(200, {"members": [{**member, **etcd_gateway.described(member)} for member in members]})
        if name == "snapshot":
            if not self.server.api_up.is_set() or not self.server.quorum():
                raise error(503, "etcd datastore is not started")
            return request.send(200, snapshots.operate(self.server, request.json() or {}))
        raise error(404, "404 page not found")

    def _peer(self, request: Request, name: str) -> None:
        etcd = self.server.etcd
        if etcd is None:
            raise error(400, "etcd datastore disabled")
        if not hmac.compare_digest(request.headers.get("X-Standin-Cluster", ""), cluster_key(self.server.cfg)):
            raise error(401, "not a member of this cluster")
        body = request.json() or {}
        action = name[len("etcd/"):]
        if action == "status":
            return request.send(200, etcd.status())
        if etcd.removed.is_set():
            raise error(503, "etcdserver: server stopped")
        if action == "since":
            return request.send(200, etcd.since(body["revision"]))
        if action == "append":
            return request.send(200, etcd.append(body))
        try:
            if action == "propose":
                return request.send(200, etcd.accept(body["operations"]))
            if action == "add":
                etcd.add(body["name"], body["node"], body["address"])
                return request.send(200, etcd.store.dump())
        except ValueError as failure:
            raise error(400, str(failure)) from None
        except NoQuorum as failure:
            raise error(503, str(failure)) from None
        raise error(404, "404 page not found")


def cluster_key(cfg) -> str:
    """What members prove to each other: that they hold the cluster's CA key."""
    with open(os.path.join(cfg.path("server/tls"), "server-ca.key"), "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
