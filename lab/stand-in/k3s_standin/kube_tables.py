"""Server-side tables, as `kubectl get` asks for them."""
import datetime


def age(stamp: str) -> str:
    """The age of a creationTimestamp in kubectl's short form."""
    try:
        then = datetime.datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)
    except (TypeError, ValueError):
        return "<unknown>"
    total = int((datetime.datetime.now(datetime.timezone.utc) - then).total_seconds())
    if total < 120:
        return f"{max(total, 0)}s"
    if total < 7200:
        return f"{total // 60}m"
    return f"{total // 3600}h" if total < 172800 else f"{total // 86400}d"


def _node(obj: dict) -> list:
    conditions = {c["type"]: c["status"] for c in obj.get("status", {}).get("conditions", [])}
    state = "Ready" if conditions.get("Ready") == "True" else "NotReady"
    if obj.get("spec", {}).get("unschedulable"):
        state += ",SchedulingDisabled"
    prefix = "node-role.kubernetes.io/"
    roles = sorted(label[len(prefix):] for label in obj["metadata"].get("labels", {}) if label.startswith(prefix))
    addresses = {a["type"]: a["address"] for a in reversed(obj.get("status", {}).get("addresses", []))}
    info = obj.get("status", {}).get("nodeInfo", {})
    return [obj["metadata"]["name"], state, ",".join(roles) or "<none>", age(obj["metadata"].get("creationTimestamp")),
            info.get("kubeletVersion", ""), addresses.get("InternalIP", "<none>"), addresses.get("ExternalIP", "<none>"),
            info.get("osImage", ""), info.get("kernelVersion", ""), info.get("containerRuntimeVersion", "")]


def _pod(obj: dict) -> list:
    status = obj.get("status", {})
    containers = status.get("containerStatuses", [])
    ready = sum(1 for c in containers if c.get("ready"))
    waiting = next((c["state"]["waiting"]["reason"] for c in containers if c.get("state", {}).get("waiting")), "")
    return [obj["metadata"]["name"], f"{ready}/{len(obj.get('spec', {}).get('containers', []))}",
            waiting or status.get("phase", "Pending"), "0", age(obj["metadata"].get("creationTimestamp")),
            status.get("podIP") or "<none>", obj.get("spec", {}).get("nodeName") or "<none>"]


def _deployment(obj: dict) -> list:
    status, wanted = obj.get("status", {}), obj.get("spec", {}).get("replicas", 1)
    return [obj["metadata"]["name"], f"{status.get('readyReplicas', 0)}/{wanted}", str(status.get("updatedReplicas", 0)),
            str(status.get("availableReplicas", 0)), age(obj["metadata"].get("creationTimestamp"))]


def _generic(obj: dict) -> list:
    return [obj["metadata"]["name"], age(obj["metadata"].get("creationTimestamp"))]


#: kind -> (columns, how many of them are shown without -o wide, cells)
_KINDS = {
    "Node": ("NAME STATUS ROLES AGE VERSION INTERNAL-IP EXTERNAL-IP OS-IMAGE KERNEL-VERSION CONTAINER-RUNTIME", 5, _node),
    "Pod": ("NAME READY STATUS RESTARTS AGE IP NODE", 5, _pod),
    "Deployment": ("NAME READY UP-TO-DATE AVAILABLE AGE", 5, _deployment),
}


def columns(kind: str) -> tuple:
    """(column names, columns shown without wide, function from object to cells) of a kind."""
    names, narrow, cells = _KINDS.get(kind, ("NAME AGE", 2, _generic))
    return names.split(), narrow, cells


def table(kind: str, objects: list, revision: int) -> dict:
    """A meta.k8s.io/v1 Table."""
    names, narrow, cells = columns(kind)
    return {
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": str(revision)},
        "columnDefinitions": [
            {"name": name.title(), "type": "string", "format": "name" if name == "NAME" else "", "description": "",
             "priority": 0 if at < narrow else 1} for at, name in enumerate(names)],
        "rows": [{"cells": cells(obj), "object": {
            "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}}
            for obj in objects]}
