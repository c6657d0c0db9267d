"""Nodes: their passwords, their certificates, and the objects that a kubelet registers."""
import base64
import hashlib
import os
import platform
import secrets
import tempfile

from . import pki, version
from .kube import ApiError, Kube, now

_ROLE = "node-role.kubernetes.io/"


def _hash(password: str, salt: bytes) -> str:
    return hashlib.scrypt(password.encode(), salt=salt, n=1024, r=8, p=1, dklen=32).hex()


def check_password(kube: Kube, node: str, password: str) -> bool:
    """Compare with the node's Secret; the first password of a new node is kept."""
    resource = kube.resource("v1", "Secret")
    name = f"{node}.node-password.k3s"
    found = kube.find(resource, "kube-system", name)
    if found is None:
        salt = secrets.token_bytes(8)
        text = f"$1:{salt.hex()}:{_hash(password, salt)}"
        try:
            kube.create(resource, "kube-system", {
                "metadata": {"name": name}, "type": "k3s.cattle.io/node-password", "immutable": True,
                "data": {"hash": base64.b64encode(text.encode()).decode()}})
            return True
        except ApiError as failure:
            if failure.reason != "AlreadyExists":
                raise
            found = kube.get(resource, "kube-system", name)
    _, salt, digest = base64.b64decode(found["data"]["hash"]).decode().split(":")
    return secrets.compare_digest(_hash(password, bytes.fromhex(salt)), digest)


def kubelet_certificate(tls: str, node: str, serving: bool, address: str) -> bytes:
    """Certificate and key of a node's kubelet, as one PEM."""
    with tempfile.TemporaryDirectory() as out:
        if serving:
            sans = [node, "127.0.0.1", *filter(None, address.split(","))]
            paths = pki.leaf(tls, "server-ca", "kubelet", f"/CN={node}", sans, out)
        else:
            paths = pki.leaf(tls, "client-ca", "kubelet", f"/O=system:nodes/CN=system:node:{node}", (), out)
        return b"".join(open(path, "rb").read() for path in paths)


def parse_taint(text: str) -> dict:
    """key=value:Effect or key:Effect."""
    head, _, effect = text.rpartition(":")
    key, _, value = head.partition("=")
    if effect not in ("NoSchedule", "PreferNoSchedule", "NoExecute") or not key:
        raise ValueError(f"invalid taint effect: {effect}, unsupported taint effect" if key else f"invalid taint spec: {text}")
    return {"key": key, "effect": effect, **({"value": value} if value else {})}


def parse_label(text: str) -> tuple:
    """key=value; the roles may not be set by a kubelet."""
    key, _, value = text.partition("=")
    if key.startswith(_ROLE) or (key.split("/")[0].endswith("kubernetes.io") and not key.startswith(
            ("kubernetes.io/", "node.kubernetes.io/", "topology.kubernetes.io/", "kubelet.kubernetes.io/"))
            and "." in key.split("/")[0] and key.split("/")[0].endswith(".kubernetes.io")):
        raise ValueError(f"unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-labels: [{key}]")
    return key, value


def os_image() -> str:
    try:
        with open("/etc/os-release", encoding="utf-8") as file:
            for line in file:
                if line.startswith("PRETTY_NAME="):
                    return line.split("=", 1)[1].strip().strip('"')
    except OSError:
        pass
    return "Linux"


def new_node(name: str, addresses: list, labels: dict, taints: list, arguments: str) -> dict:
    """The Node that a kubelet creates: not Ready yet."""
    arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    base = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": arch,
            "beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": arch, "node.kubernetes.io/instance-type": "k3s"}
    return {"metadata": {"name": name, "labels": {**base, **labels},
                         "annotations": {"k3s.io/node-args": arguments, "k3s.io/internal-ip": ",".join(value for kind, value in addresses if kind == "InternalIP"),
                                         "k3s.io/hostname": name}},
            "spec": {"podCIDR": "", "providerID": f"k3s://{name}", **({"taints": taints} if taints else {})},
            "status": {"addresses": [{"type": kind, "address": value} for kind, value in addresses]
                       + [{"type": "Hostname", "address": name}]}}


def role_labels(etcd: bool) -> dict:
    """What a server's Node is labelled with; 1.34 no longer sets `master`."""
    found = {_ROLE + "control-plane": "true"}
    if etcd:
        found[_ROLE + "etcd"] = "true"
    if version.minor() < 34:
        found[_ROLE + "master"] = "true"
    return found


def condition(kind: str, status: str, reason: str, message: str) -> dict:
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastHeartbeatTime": now(),
            "lastTransitionTime": now()}


def node_status(ready: bool, addresses: list, name: str, images: list) -> dict:
    """The status that a kubelet reports."""
    processors, memory = os.cpu_count() or 1, "2048000Ki"
    state = condition("Ready", "True", "KubeletReady", "kubelet is posting ready status") if ready else condition(
        "Ready", "False", "KubeletNotReady", "container runtime network not ready: NetworkReady=false "
        "reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized")
    size = {"cpu": str(processors), "memory": memory, "pods": "110"}
    machine = ""
    try:
        with open("/etc/machine-id", encoding="utf-8") as file:
            machine = file.read().strip()
    except OSError:
        pass
    return {"capacity": size, "allocatable": size,
            "addresses": [{"type": kind, "address": value} for kind, value in addresses] + [{"type": "Hostname", "address": name}],
            "conditions": [condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
                           condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
                           condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"), state],
            "nodeInfo": {"kubeletVersion": version.VERSION, "kubeProxyVersion": version.VERSION, "osImage": os_image(),
                         "kernelVersion": platform.release(), "containerRuntimeVersion": "containerd://2.0.5-k3s1",
                         "operatingSystem": "linux", "architecture": "amd64", "machineID": machine, "bootID": "", "systemUUID": machine},
            "images": images}
