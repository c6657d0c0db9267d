"""`k3s agent`, and the agent inside every server: join, import images, register the Node, keep it alive."""
import json
import os
import threading
import time
import urllib.parse

from . import component_logs, env, faults, host_marks, http_client, identity, images, log, nodes, pki, version
from .balancer import Balancer
from .config import Config
from .kubeconfig import write_kubelet_kubeconfig
from .ports import occupy
from .tokens import TokenError, parse
from .unpack import unpack


class Agent:
    """One node's kubelet, as far as anybody can see it from outside."""

    def __init__(self, cfg: Config, url: str, token: str, roles: dict, server=None):
        self.cfg, self.url, self.token, self.roles, self.server = cfg, url.rstrip("/"), token, roles, server
        self.name = identity.node_name(cfg)
        self.addresses = identity.addresses(cfg)
        self.servers = [urllib.parse.urlsplit(self.url).netloc]
        self.balancer = cfg.path("agent/etc/k3s-agent-load-balancer.json")
        self.port = cfg.port if server else Balancer(cfg, lambda: self.servers).port
        self.ready = False
        self.gone_since = 0.0

    # -- asking servers -------------------------------------------------------------------------------------------

    def ask(self, method: str, path: str, ctx, **rest) -> bytes:
        """Try the servers in turn; the first that answers with anything but a 5xx decides."""
        failure = OSError("no server is known")
        for server in list(self.servers):
            try:
                return http_client.request(method, f"https://{server}{path}", ctx, timeout=4, keep=True, **rest)
            except OSError as problem:
                failure = OSError(f'Get "https://{server}{path}": dial tcp {server}: connect: {str(problem).split("] ")[-1].lower()}')
            except http_client.HttpError as problem:
                if problem.status < 500:
                    raise
                failure = problem
            self.servers = self.servers[1:] + self.servers[:1]
        raise failure

    def _remembered(self) -> None:
        try:
            with open(self.balancer, encoding="utf-8") as file:
                found = json.load(file)
            if found["ServerURL"] == self.url:
                self.servers += [one for one in found["ServerAddresses"] if one not in self.servers]
        except (OSError, ValueError, KeyError):
            pass

    def _learn(self) -> None:
        found = json.loads(self.ask("GET", "/v1-k3s/apiservers", self.kubelet))
        if self.server is None and found:
            default = urllib.parse.urlsplit(self.url).netloc
            self.servers = [one for one in self.servers if one in found or one == default]
            self.servers += [one for one in found if one not in self.servers]
            env.write(self.balancer, json.dumps({"ServerURL": self.url, "ServerAddresses": sorted(found)}), 0o600)

    # -- the start ------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Join and then beat for ever."""
        self._remembered()
        self._validate_token()
        host_marks.resolv_conf(self.cfg)
        while not self._configure():
            time.sleep(env.seconds("retry_ms"))
        faults.point("join")
        unpack(self.cfg.data)
        images.start(self.cfg)
        time.sleep(env.seconds("join_ms"))
        component_logs.check(self.cfg)
        while not self._register():
            time.sleep(0.5)
        host_marks.leave(self.cfg)
        log.info("k3s agent is up and running")
        if self.server is None:
            log.notify()
        threading.Thread(target=self._become_ready, daemon=True).start()
        self._beat()

    def _validate_token(self) -> None:
        while True:
            try:
                token = parse(self.token) if self.server is None else None
                pem = self.ask("GET", "/cacerts", http_client.context(insecure=True))
                if token and token.ca_hash and pki.ca_hash(pem) != token.ca_hash:
                    raise TokenError(f"token CA hash does not match the Cluster CA certificate hash: {token.ca_hash} != {pki.ca_hash(pem)}")
                break
            except TokenError as failure:
                log.error(str(failure))
            except (OSError, http_client.HttpError) as failure:
                log.error(f"failed to get CA certs: {failure}")
            time.sleep(env.seconds("retry_ms"))
        ca = env.write(self.cfg.path("agent/server-ca.crt"), pem)
        self.plain = http_client.context(ca)
        self.ca = ca
        if self.server is not None:
            self.basic = self.token
        else:
            self.basic = f"{token.user or 'node'}:{token.password}"

    def _configure(self) -> bool:
        headers = {"k3s-Node-Name": self.name, "k3s-Node-Password": identity.node_password(),
                   "k3s-Node-IP": ",".join(a for kind, a in self.addresses if kind.endswith("IP")), "X-Standin-Version": version.VERSION}
        try:
            self.settings = json.loads(self.ask("GET", "/v1-k3s/config", self.plain, basic=self.basic))
            env.write(self.cfg.path("agent/client-ca.crt"), self.ask("GET", "/v1-k3s/client-ca.crt", self.plain, basic=self.basic))
            for name in ("serving-kubelet", "client-kubelet"):
                pem = self.ask("POST", f"/v1-k3s/{name}.crt", self.plain, basic=self.basic, headers=headers, body=b"{}").decode()
                cut = pem.index("-----BEGIN PRIVATE")
                env.write(self.cfg.path(f"agent/{name}.crt"), pem[:cut])
                env.write(self.cfg.path(f"agent/{name}.key"), pem[cut:], 0o600)
        except (OSError, http_client.HttpError) as failure:
            text = str(failure)
            if isinstance(failure, http_client.HttpError):
                said = failure.message()
                text = said if "rejected" in said else f"https://127.0.0.1:6444{urllib.parse.urlsplit(failure.url).path}: {said}"
            log.info(f"Waiting to retrieve agent configuration; server is not ready: {text}")
            return False
        try:
            identity.check_families(self.settings["clusterCIDR"], self.settings["serviceCIDR"],
                                    [address for kind, address in self.addresses if kind == "InternalIP"])
        except identity.IdentityError as failure:
            log.fatal(f"Error: {failure}")
        self.kubelet = http_client.context(self.ca, self.cfg.path("agent/client-kubelet.crt"), self.cfg.path("agent/client-kubelet.key"))
        write_kubelet_kubeconfig(self.cfg, self.port)
        return True

    # -- the Node -------------------------------------------------------------------------------------------------

    def _register(self) -> bool:
        try:
            labels = dict(nodes.parse_label(text) for text in self.cfg["node-label"])
            taints = [nodes.parse_taint(text) for text in self.cfg["node-taint"]]
        except ValueError as failure:
            log.fatal(f"Error: failed to run Kubelet: {failure}")
        arguments = json.dumps([self.cfg.role] + [word for key in ("node-label", "node-taint")
                                                  for text in self.cfg[key] for word in (f"--{key}", text)])
        node = nodes.new_node(self.name, self.addresses, {**labels, **self.roles}, taints, arguments)
        try:
            try:
                self.ask("POST", "/api/v1/nodes", self.kubelet, body={"apiVersion": "v1", "kind": "Node", **node})
                log.info(f"Successfully registered node {self.name}")
            except http_client.HttpError as failure:
                if failure.status != 409:
                    raise
                # Role labels belong to the server's own controller; labels and taints of the user stay as first registered, and
                # what the last start was told is noted.
                self._patch({"metadata": {"labels": self.roles, "annotations": {"k3s.io/node-args": arguments}}})
            self._report()
            self._learn()
            self._lease()
            return True
        except (OSError, http_client.HttpError) as failure:
            log.error(f"Unable to register node with API server, will retry: {failure}")
            return False

    def _patch(self, change: dict) -> None:
        self.ask("PATCH", f"/api/v1/nodes/{self.name}", self.kubelet, body=json.dumps(change).encode(),
                 headers={"Content-Type": "application/strategic-merge-patch+json"})

    def _report(self) -> None:
        self.reported = images.names(self.cfg)
        listed = [{"names": [one["name"]], "sizeBytes": one["size"]} for one in images.load(self.cfg).values()
                  if not one["name"].startswith("sha256:")]
        self._patch({"status": nodes.node_status(self.ready, self.addresses, self.name, listed)})

    def _become_ready(self) -> None:
        time.sleep(env.seconds("ready_ms"))
        while not env.knobs()["ready"]:
            time.sleep(0.3)
        self.ready = True
        self.reported = None

    def _lease(self) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + ".000000Z"
        self.ask("PUT", f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{self.name}", self.kubelet, body={
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": self.name},
            "spec": {"holderIdentity": self.name, "leaseDurationSeconds": 40, "renewTime": stamp}})

    def _beat(self) -> None:
        turn, failing = 0, False
        while True:
            time.sleep(0.2 if self.reported is None else env.seconds("heartbeat_ms"))
            turn += 1
            try:
                if self.reported is None or self.reported != images.names(self.cfg) or turn % 3 == 0 or failing:
                    self._report()
                self._lease()
                if turn % 3 == 1:
                    self._learn()
                failing, self.gone_since = False, 0.0
            except http_client.HttpError as failure:
                failing = True
                if failure.status == 404:
                    self._deleted()
            except OSError as failure:
                if not failing:
                    log.error(f"Error updating node status, will retry: {failure}")
                failing = True

    def _deleted(self) -> None:
        """A kubelet that still runs brings its deleted Node back, unless it is a server that has left etcd."""
        if self.server is not None and self.server.etcd is not None and self.server.etcd.removed.is_set():
            return
        self.gone_since = self.gone_since or time.monotonic()
        if time.monotonic() - self.gone_since >= env.seconds("reregister_ms") and self._configure():
            self._register()


def run_agent(cfg: Config) -> None:
    """`k3s agent`: fatal without token or server; after that it never gives up."""
    from .bootstrap import BootstrapError, given_token
    try:
        token = given_token(cfg)
        if not token:
            log.fatal("Error: --token is required")
        if not cfg["server"]:
            log.fatal("Error: --server is required")
        if not cfg["server"].startswith("https://"):
            log.fatal(f"Error: only https:// URLs are supported, invalid scheme: {cfg['server']}")
        log.info(f"Starting k3s agent {version.VERSION} (stand-in)")
        faults.point("boot")
        occupy(cfg, 0, server=False)
        Agent(cfg, cfg["server"], token, {}).run()
    except (BootstrapError, identity.IdentityError) as failure:
        log.fatal(f"Error: {failure}")
