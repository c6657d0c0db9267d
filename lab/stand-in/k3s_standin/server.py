"""`k3s server`: the order of a start, and the state that the listener serves."""
import base64
import ipaddress
import os
import socket
import threading
import time

from . import bootstrap, env, etcd_gateway, etcd_health, faults, identity, log, pki, version
from .agent import Agent
from .bootstrap import BootstrapError
from .config import Config
from .controllers import Controllers
from .datastore import Datastore
from .etcd import NoQuorum
from .kube import ApiError, Kube, now
from .kube_http import KubeHttp
from .kubeconfig import write_kubeconfig
from .nodes import role_labels
from .ports import occupy
from .routes import Routes
from .supervisor import Listener, server_tls
from .tokens import password_of

_SPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


class Server:
    """One `k3s server` process."""

    def __init__(self, cfg: Config):
        self.cfg = cfg
        self.supervisor_up = threading.Event()
        self.api_up = threading.Event()
        self.started = time.monotonic()

    # -- what routes ask ------------------------------------------------------------------------------------------

    @property
    def etcd(self):
        return self.datastore.etcd

    @property
    def store(self):
        return self.datastore.store

    def propose(self, operations: list, wait: float = 6) -> int:
        return self.datastore.propose(operations, wait)

    def quorum(self) -> bool:
        return self.store is not None and (self.etcd is None or self.etcd.quorum())

    def ca_pem(self) -> bytes:
        return env.read(self.cfg.path("server/tls/server-ca.crt")).encode()

    def tokens(self) -> dict:
        return {"server": self.datastore.password, "agent": bootstrap.given_token(self.cfg, "agent-token") or self.datastore.password}

    def bootstrap_tokens(self) -> list:
        """Bootstrap tokens that are not expired: Secrets, as kubeadm and k3s keep them."""
        found = []
        for _, one, _ in self.store.list("/registry/core/secrets/kube-system/bootstrap-token-") if self.store else []:
            data = {key: base64.b64decode(value).decode() for key, value in (one.get("data") or {}).items()}
            if not data.get("expiration") or data["expiration"] > now():
                found.append(f"{data.get('token-id')}.{data.get('token-secret')}")
        return found

    def bootstrap_data(self) -> dict:
        return bootstrap.collect(self.cfg)

    def addresses(self) -> list:
        if self.etcd is None:
            return [identity.advertised(self.cfg)]
        return [member["address"] for member in self.etcd.voters()]

    def agent_config(self) -> dict:
        return {"version": version.VERSION, "clusterDNS": self.cfg["cluster-dns"], "clusterDomain": self.cfg["cluster-domain"],
                "flannelBackend": self.cfg["flannel-backend"], "systemDefaultRegistry": self.cfg["system-default-registry"],
                "embeddedRegistry": self.cfg["embedded-registry"], "clusterCIDR": self.cfg["cluster-cidr"],
                "serviceCIDR": self.cfg["service-cidr"]}

    def rotate_token(self, new: str) -> None:
        """`k3s token rotate`: bootstrap data is sealed anew at once; every server then needs the new token in its config."""
        password = password_of(new)
        self.propose([{"key": bootstrap.slot(self.datastore.password), "value": None}, bootstrap.sealed(self.cfg, password)])
        self.datastore.password = password
        bootstrap.write_tokens(self.cfg, password)

    # -- the start ------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Start, then serve for ever. Every failure of the start is fatal, as k3s' are."""
        log.info(f"Starting k3s {version.VERSION} (stand-in)")
        try:
            self.datastore = Datastore(self.cfg, bootstrap.server_password(self.cfg))
            identity.node_ips(self.cfg)
            faults.point("boot")
            occupy(self.cfg, self.cfg.port if not self.cfg["cluster-reset"] else 0, server=True)
            self.datastore.open()
            self._listen()
            if self.datastore.joined_from:
                self.datastore.finish_join()
            self._serve()
        except (BootstrapError, identity.IdentityError, pki.PkiError, NoQuorum) as failure:
            log.fatal(f"Error: starting kubernetes: {failure}" if "preparing" in str(failure) else f"Error: {failure}")
        while True:
            time.sleep(3600)

    def _sans(self) -> list:
        own = identity.node_ips(self.cfg) + self.cfg["node-external-ip"] + [identity.node_name(self.cfg), socket.gethostname()]
        first = [str(ipaddress.ip_network(cidr, strict=False)[1]) for cidr in self.cfg["service-cidr"]]
        cluster = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", f"kubernetes.default.svc.{self.cfg['cluster-domain']}",
                   "localhost", "127.0.0.1", "::1"] + first
        return [name for name in own + cluster + self.cfg["tls-san"] + [self.cfg["advertise-address"]] if name]

    def _listen(self) -> None:
        tls = self.cfg.path("server/tls")
        bootstrap.write_tokens(self.cfg, self.datastore.password)
        pki.leaf(tls, "server-ca", "serving-kube-apiserver", "/CN=kube-apiserver", self._sans())
        pki.leaf(tls, "client-ca", "client-admin", "/O=system:masters/CN=system:admin")
        pki.leaf(tls, "client-ca", "client-kube-proxy", "/CN=system:kube-proxy")
        pki.leaf(tls, "client-ca", "client-supervisor", "/O=system:masters/CN=system:k3s-supervisor")
        if self.cfg["cluster-init"] or self.cfg["server"] or self.etcd:
            pki.leaf(tls, "etcd/server-ca", "etcd/client", "/CN=etcd-client")
            pki.leaf(tls, "etcd/server-ca", "etcd/server-client", "/CN=etcd-server", self._sans())
            pki.leaf(tls, "etcd/peer-ca", "etcd/peer-server-client", "/CN=etcd-peer", self._sans())
        self.kube = Kube(self)
        self.controllers = Controllers(self)
        self.api = KubeHttp(self.kube, self.controllers.evict)
        context = server_tls(f"{tls}/serving-kube-apiserver.crt", f"{tls}/serving-kube-apiserver.key", f"{tls}/client-ca.crt")
        try:
            every = "::" if any(":" in ip for ip in identity.node_ips(self.cfg)) else "0.0.0.0"
            listener = Listener(self.cfg["bind-address"] or every, self.cfg.port, Routes(self), context)
        except OSError as failure:
            raise BootstrapError(f"listen tcp {self.cfg['bind-address'] or '0.0.0.0'}:{self.cfg.port}: bind: {failure.strerror.lower()}") from None
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        log.info(f"Running kube-apiserver on port {self.cfg.port} (stand-in)")
        for name in ("manifests", "static/charts", "cred", "etc", "logs"):
            os.makedirs(self.cfg.path("server", name), mode=0o700, exist_ok=True)

    def _serve(self) -> None:
        if self.etcd:
            etcd_health.listen(self.quorum)
            etcd_gateway.listen(self.cfg, self.etcd)
            threading.Thread(target=self.etcd.run, daemon=True).start()
            threading.Thread(target=self._watch_membership, daemon=True).start()
        write_kubeconfig(self.cfg)
        while not self.quorum():
            log.info("Waiting for etcd server to become available")
            time.sleep(0.5)
        time.sleep(max(0.0, env.seconds("boot_ms") - (time.monotonic() - self.started)))
        self.supervisor_up.set()
        self._seed()
        self.api_up.set()
        log.info("Kube API server is now running")
        if self.etcd:
            threading.Thread(target=self._hold_leases, daemon=True).start()
        self.controllers.start()
        log.info("k3s is up and running")
        if not self.cfg["disable-agent"]:
            agent = Agent(self.cfg, self.cfg.own_url, f"server:{self.datastore.password}",
                          role_labels(self.etcd is not None), self)
            threading.Thread(target=agent.run, daemon=True).start()
        log.notify()

    def _hold_leases(self) -> None:
        """End when the majority is gone for longer than a lease lasts, as k3s does; what starts k3s again then waits for it."""
        had = time.monotonic()
        while not self.etcd.stopping.is_set():
            if self.quorum():
                had = time.monotonic()
            elif time.monotonic() - had > env.seconds("lease_ms"):
                log.fatal("leaderelection lost for k3s")
            time.sleep(0.5)

    def _seed(self) -> None:
        while True:
            try:
                spaces = self.kube.resource("v1", "Namespace")
                for name in _SPACES:
                    if self.kube.find(spaces, "", name) is None:
                        self.kube.create(spaces, "", {"metadata": {"name": name}})
                services = self.kube.resource("v1", "Service")
                if self.kube.find(services, "default", "kubernetes") is None:
                    self.kube.create(services, "default", {"metadata": {"name": "kubernetes"}, "spec": {"ports": [{"port": 443}]}})
                return
            except ApiError as failure:
                if failure.reason not in ("AlreadyExists", "Conflict"):
                    raise
            except NoQuorum as failure:
                log.info(f"Waiting for etcd server to become available: {failure}")

    def _watch_membership(self) -> None:
        self.etcd.removed.wait()
        env.write(self.cfg.path("server/db/etcd/tombstone"), "", 0o600)
        log.info("This node has been removed from the cluster - please restart k3s to rejoin the cluster")
