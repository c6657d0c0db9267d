"""The Deployments that k3s brings: coredns, local-path-provisioner, metrics-server, traefik."""
from .config import Config
from .kube import Kube

#: deployment name -> (word in `disable`, image)
PACKAGED = {
    "coredns": ("coredns", "rancher/mirrored-coredns-coredns:1.12.1"),
    "local-path-provisioner": ("local-storage", "rancher/local-path-provisioner:v0.0.31"),
    "metrics-server": ("metrics-server", "rancher/mirrored-metrics-server:v0.7.2"),
    "traefik": ("traefik", "rancher/mirrored-library-traefik:3.3.6"),
}


def deploy(kube: Kube, cfg: Config) -> None:
    """Create what is missing and not disabled; remove what this server disables and k3s deployed."""
    resource = kube.resource("apps/v1", "Deployment")
    registry = cfg["system-default-registry"]
    for name, (word, image) in PACKAGED.items():
        found = kube.find(resource, "kube-system", name)
        if word in cfg["disable"]:
            if found and (found["metadata"].get("annotations") or {}).get("objectset.rio.cattle.io/owner-name"):
                kube.delete(resource, "kube-system", name)
            continue
        if found:
            continue
        labels = {"k8s-app": name}
        kube.create(resource, "kube-system", {
            "metadata": {"name": name, "labels": labels, "annotations": {"objectset.rio.cattle.io/owner-name": name}},
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": name, "image": f"{registry}/{image}" if registry else image, "imagePullPolicy": "IfNotPresent"}],
                         "tolerations": [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"},
                                         {"key": "CriticalAddonsOnly", "operator": "Exists"}]}}}})
