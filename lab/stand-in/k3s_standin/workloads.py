"""Deployments and DaemonSets become pods on nodes; a pod runs only where its image and the pause image are."""
import hashlib

from .image_archive import normalise
from .kube import ApiError, Kube, now

_PAUSE = "mirrored-pause"


def reconcile_workloads(kube: Kube) -> None:
    """One pass over everything that makes pods."""
    pods, nodes = kube.resource("v1", "Pod"), kube.list(kube.resource("v1", "Node"))
    existing = kube.list(pods)
    for kind in ("Deployment", "DaemonSet"):
        resource = kube.resource("apps/v1", kind)
        for owner in kube.list(resource):
            mine = [pod for pod in existing if _owner(pod) == owner["metadata"]["uid"]]
            _scale(kube, pods, owner, mine, nodes)
            _status(kube, resource, owner, mine, nodes)
    known = {owner["metadata"]["uid"] for kind in ("Deployment", "DaemonSet") for owner in kube.list(kube.resource("apps/v1", kind))}
    for pod in existing:
        if _owner(pod) and _owner(pod) not in known:
            _drop(kube, pods, pod)
        else:
            _run(kube, pods, pod, nodes)


def _owner(pod: dict) -> str:
    return next((one["uid"] for one in pod["metadata"].get("ownerReferences") or []), "")


def _drop(kube: Kube, pods, pod: dict) -> None:
    try:
        kube.delete(pods, pod["metadata"]["namespace"], pod["metadata"]["name"])
    except ApiError as failure:
        if failure.code != 404:
            raise


def _ready(node: dict) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in node.get("status", {}).get("conditions", []))


def _fits(pod_spec: dict, node: dict, daemon: bool) -> bool:
    if node["spec"].get("unschedulable") and not daemon:
        return False
    for taint in node["spec"].get("taints") or []:
        if taint["effect"] == "PreferNoSchedule":
            continue
        tolerated = any((not one.get("key") or one["key"] == taint["key"]) and one.get("effect") in (None, "", taint["effect"])
                        and (one.get("operator") == "Exists" or one.get("value", "") == taint.get("value", ""))
                        for one in pod_spec.get("tolerations") or [])
        if not tolerated:
            return False
    labels = node["metadata"].get("labels") or {}
    return all(labels.get(key) == value for key, value in (pod_spec.get("nodeSelector") or {}).items())


def _scale(kube: Kube, pods, owner: dict, mine: list, nodes: list) -> None:
    template, daemon = owner["spec"]["template"], owner["kind"] == "DaemonSet"
    spot = hashlib.sha256(repr(template["spec"]).encode()).hexdigest()[:9]
    for pod in list(mine):
        if pod["metadata"]["labels"].get("pod-template-hash") != spot:
            _drop(kube, pods, pod)
            mine.remove(pod)
    if daemon:
        taken = {pod["spec"].get("nodeName") for pod in mine}
        wanted = [node["metadata"]["name"] for node in nodes if _fits(template["spec"], node, True) and node["metadata"]["name"] not in taken]
    else:
        wanted = [""] * (owner["spec"].get("replicas", 1) - len(mine))
        for pod in mine[owner["spec"].get("replicas", 1):]:
            _drop(kube, pods, pod)
    for node in wanted:
        kube.create(pods, owner["metadata"]["namespace"], {
            "metadata": {"generateName": f"{owner['metadata']['name']}-{spot}-",
                         "labels": {**(template.get("metadata", {}).get("labels") or {}), "pod-template-hash": spot},
                         "ownerReferences": [{"apiVersion": "apps/v1", "kind": "DaemonSet" if daemon else "ReplicaSet", "controller": True,
                                              "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}]},
            "spec": {**template["spec"], **({"nodeName": node} if node else {})}, "status": {"phase": "Pending"}})


def _run(kube: Kube, pods, pod: dict, nodes: list) -> None:
    if pod.get("status", {}).get("phase") in ("Running", "Succeeded") and pod["spec"].get("nodeName") in [n["metadata"]["name"] for n in nodes]:
        return
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    node = next((n for n in nodes if n["metadata"]["name"] == pod["spec"].get("nodeName")), None)
    if node is None:
        node = next((n for n in nodes if _ready(n) and _fits(pod["spec"], n, False)), None)
        if node is None:
            return
        kube.patch(pods, namespace, name, {"spec": {"nodeName": node["metadata"]["name"]}})
    if not _ready(node):
        return
    held = {one for image in node["status"].get("images") or [] for one in image["names"]}
    containers, state = [], "Running"
    for container in pod["spec"].get("containers") or []:
        good, reason = normalise(container["image"]) in held, "ImagePullBackOff"
        if not any(_PAUSE in one for one in held):
            good, reason = False, "ContainerCreating"
        elif container.get("imagePullPolicy") == "Always":
            good = False
        detail = {"running": {"startedAt": now()}} if good else {"waiting": {
            "reason": reason, "message": f'failed to pull and unpack image "{normalise(container["image"])}": no such host'}}
        state = state if good else "Pending"
        containers.append({"name": container["name"], "image": container["image"], "ready": good, "restartCount": 0, "state": detail})
    ready = "True" if state == "Running" else "False"
    if state == pod.get("status", {}).get("phase") and pod["status"].get("containerStatuses") and (
            pod["status"]["containerStatuses"][0]["state"].keys() == containers[0]["state"].keys()):
        return
    kube.patch(pods, namespace, name, {"status": {
        "phase": state, "containerStatuses": containers, "podIP": "10.42.0.10" if ready == "True" else "", "startTime": now(),
        "conditions": [{"type": "Ready", "status": ready}, {"type": "PodScheduled", "status": "True"}]}})


def _status(kube: Kube, resource, owner: dict, mine: list, nodes: list) -> None:
    alive = {node["metadata"]["name"] for node in nodes if _ready(node)}
    good = sum(1 for pod in mine if pod.get("status", {}).get("phase") == "Running" and pod["spec"].get("nodeName") in alive)
    if owner["kind"] == "DaemonSet":
        status = {"desiredNumberScheduled": len(mine), "currentNumberScheduled": len(mine), "numberReady": good, "numberAvailable": good}
    else:
        enough = good >= owner["spec"].get("replicas", 1)
        status = {"replicas": len(mine), "updatedReplicas": len(mine), "readyReplicas": good, "availableReplicas": good,
                  "observedGeneration": owner["metadata"].get("generation", 1), "conditions": [
                      {"type": "Available", "status": "True" if enough else "False",
                       "reason": "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable"},
                      {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}]}
    if owner.get("status") != status:
        kube.patch(resource, owner["metadata"]["namespace"], owner["metadata"]["name"], {"status": status})
