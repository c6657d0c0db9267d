"""k3s.yaml: the admin's kubeconfig, written by a server and read by `k3s kubectl`."""
import base64
import os
import tempfile

from . import env
from .config import Config
from .yaml_mini import load


def _b64(path: str) -> str:
    with open(path, "rb") as file:
        return base64.b64encode(file.read()).decode()


def location(cfg: Config) -> str:
    return cfg["write-kubeconfig"] or env.host("/etc/rancher/k3s/k3s.yaml")


def write_kubeconfig(cfg: Config) -> None:
    """Write it with the mode and group that are configured; 0600 else."""
    tls = cfg.path("server/tls")
    text = f"""apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: {_b64(tls + '/server-ca.crt')}
    server: {cfg.own_url}
  name: default
contexts:
- context:
    cluster: default
    user: default
  name: default
current-context: default
kind: Config
users:
- name: default
  user:
    client-certificate-data: {_b64(tls + '/client-admin.crt')}
    client-key-data: {_b64(tls + '/client-admin.key')}
"""
    mode = 0o600
    if cfg["write-kubeconfig-mode"]:
        # As Go's strconv with base 8 does: 420 from an unquoted 0644 is mode 420, not 644.
        try:
            mode = int(cfg["write-kubeconfig-mode"], 8)
        except ValueError:
            mode = 0o600
    path = env.write(location(cfg), text, mode)
    if cfg["write-kubeconfig-group"]:
        import shutil
        try:
            shutil.chown(path, group=cfg["write-kubeconfig-group"])
            os.chmod(path, mode)
        except (OSError, LookupError):
            pass
    env.write(cfg.path("server/cred/admin.kubeconfig"), text, 0o600)


def write_kubelet_kubeconfig(cfg: Config, port: int) -> None:
    """agent/kubelet.kubeconfig: the kubelet's certificate, by way of the load balancer (or the server itself)."""
    env.write(cfg.path("agent/kubelet.kubeconfig"), f"""apiVersion: v1
clusters:
- cluster:
    certificate-authority: {cfg.path("agent/server-ca.crt")}
    server: https://127.0.0.1:{port}
  name: local
contexts:
- context:
    cluster: local
    namespace: default
    user: user
  name: Default
current-context: Default
kind: Config
preferences: {{}}
users:
- name: user
  user:
    client-certificate: {cfg.path("agent/client-kubelet.crt")}
    client-key: {cfg.path("agent/client-kubelet.key")}
""", 0o600)


class Access:
    """Server, CA, certificate and key of a kubeconfig's current (or named) context, in files that live as long as this."""

    def __init__(self, path: str, context: str = ""):
        found = load(env.read(path)) or {}
        wanted = context or found.get("current-context")
        chosen = _named(found.get("contexts"), wanted, "context")
        cluster = _named(found.get("clusters"), chosen.get("cluster"), "cluster")
        user = _named(found.get("users"), chosen.get("user"), "user")
        self.server = str(cluster.get("server", ""))
        self.directory = tempfile.TemporaryDirectory()
        self.ca = self._file(cluster, "certificate-authority", base=path)
        self.cert = self._file(user, "client-certificate", base=path)
        self.key = self._file(user, "client-key", base=path)

    def _file(self, holder: dict, name: str, base: str) -> str:
        if holder.get(name + "-data"):
            path = os.path.join(self.directory.name, name)
            return env.write(path, base64.b64decode(holder[name + "-data"]), 0o600)
        return os.path.join(os.path.dirname(base), holder[name]) if holder.get(name) else ""


def _named(entries, name, key: str) -> dict:
    for entry in entries or []:
        if entry.get("name") == name:
            return entry.get(key) or {}
    raise ValueError(f'{key} "{name}" does not exist')
