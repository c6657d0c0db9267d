"""The verbs of `k3s kubectl` that change something or wait for it."""
import base64
import json
import os
import sys
import time

from . import env, jsonpath
from .kube import ApiError
from .kubectl_get import collect, resource, targets
from .manifests import manifests
from .resources import find_kind
from .yaml_mini import documents

MERGE = "application/merge-patch+json"
_KINDS = {"merge": MERGE, "json": "application/json-patch+json", "strategic": "application/strategic-merge-patch+json"}


def _place(client, args, manifest: dict) -> tuple:
    row = find_kind(client.rows(), manifest.get("apiVersion", ""), manifest.get("kind", ""))
    if row is None:
        raise ApiError(0, "", f'error: unable to recognize manifest: no matches for kind "{manifest.get("kind")}" in version "{manifest.get("apiVersion")}"')
    meta = manifest.setdefault("metadata", {})
    asked = args.flags.get("namespace")
    if row.namespaced and asked and meta.get("namespace") not in (None, asked):
        raise ApiError(0, "", f"error: the namespace from the provided object \"{meta['namespace']}\" does not match the namespace \"{asked}\".")
    namespace = (meta.get("namespace") or asked or "default") if row.namespaced else ""
    if namespace:
        meta["namespace"] = namespace
    return row, namespace, meta.get("name", "")


def apply(client, args, verb: str, words: list) -> int:
    """apply, create and replace from files; create namespace, configmap and secret generic from flags; create --raw."""
    if verb == "create" and "raw" in args.flags:
        name = args.flags.get("filename", "")
        body = sys.stdin.read() if name == "-" else env.read(name)
        sys.stdout.write(client.raw("POST", args.flags["raw"], body.encode()).decode())
        return 0
    objects = [_from_words(args, words)] if verb == "create" and words else manifests(args)
    if not objects:
        raise ApiError(0, "", "error: no objects passed to " + verb)
    dry = args.flags.get("dry-run", "none") not in ("none", "false")
    for manifest in objects:
        row, namespace, name = _place(client, args, manifest)
        if dry:
            print(json.dumps(manifest, indent=4) if args.flags.get("output") in ("json", "yaml") else f"{row.kind.lower()}/{name} {verb} (dry run)")
            continue
        if verb == "replace":
            answer, said = client.call("PUT", client.path(row, namespace, name), manifest), "replaced"
        elif verb == "create":
            answer, said = client.call("POST", client.path(row, namespace), manifest), "created"
        else:
            try:
                before = client.call("GET", client.path(row, namespace, name))
                answer = client.call("PATCH", client.path(row, namespace, name), manifest, MERGE)
                said = "unchanged" if before["metadata"]["resourceVersion"] == answer["metadata"]["resourceVersion"] else "configured"
            except ApiError as failure:
                if failure.code != 404:
                    raise
                answer, said = client.call("POST", client.path(row, namespace), manifest), "created"
        suffix = f".{row.group}" if row.group else ""
        print(json.dumps(answer, indent=4) if args.flags.get("output") == "json" else f"{row.kind.lower()}{suffix}/{answer['metadata']['name']} {said}")
    return 0


def _from_words(args, words: list) -> dict:
    kind, name = words[0], words[-1]
    if kind in ("namespace", "ns"):
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    data = dict(text.split("=", 1) for text in args.all_of("from-literal"))
    for text in args.all_of("from-file"):
        key, sign, path = text.partition("=")
        data[key if sign else os.path.basename(key)] = env.read(path if sign else key)
    if kind in ("configmap", "cm"):
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
    if kind == "secret" and words[1:2] == ["generic"]:
        coded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "Opaque", "data": coded}
    raise ApiError(0, "", f"error: the stand-in does not create {' '.join(words)}")


def _until_gone(client, path: str, uid: str) -> None:
    while True:
        try:
            if client.call("GET", path)["metadata"]["uid"] != uid:
                return
        except ApiError as failure:
            if failure.code == 404:
                return
            raise
        time.sleep(0.2)


def delete(client, args, words: list) -> int:
    """Delete by name, selector, file or --all."""
    found = []
    for manifest in manifests(args):
        found.append(_place(client, args, manifest))
    if words and (args.on("all") or args.flags.get("selector")):
        found += [(row, one["metadata"].get("namespace", ""), one["metadata"]["name"])
                  for row, group, _ in collect(client, args, words) for one in group]
    elif words:
        named = targets(client, words)
        if not all(name for _, name in named):
            raise ApiError(0, "", "error: resource(s) were provided, but no name was specified")
        found += [(row, args.flags.get("namespace", "default") if row.namespaced else "", name) for row, name in named]
    status = 0
    for row, namespace, name in found:
        try:
            gone = client.call("DELETE", client.path(row, namespace, name))
            print(f'{row.kind.lower()}{"." + row.group if row.group else ""} "{name}" deleted')
            if args.flags.get("wait") != "false":
                _until_gone(client, client.path(row, namespace, name), gone["details"]["uid"])
        except ApiError as failure:
            if failure.code != 404:
                raise
            if not args.on("ignore-not-found"):
                print(f"Error from server (NotFound): {failure.message}", file=sys.stderr)
                status = 1
    return status


def cordon(client, args, verb: str, names: list) -> int:
    """Mark nodes unschedulable or schedulable."""
    if not names:
        raise ApiError(0, "", "error: You must provide a node name")
    for name in names:
        row = resource(client, "node")
        node = client.call("GET", client.path(row, "", name))
        done, wanted = bool(node["spec"].get("unschedulable")), verb == "cordon"
        if done != wanted:
            client.call("PATCH", client.path(row, "", name), {"spec": {"unschedulable": True if wanted else None}}, MERGE)
        print(f"node/{name} {'already ' if done == wanted else ''}{verb}ed")
    return 0


def _duration(text: str) -> float:
    total, number = 0.0, ""
    for char in text:
        if char.isdigit() or char == ".":
            number += char
        elif number:
            total, number = total + float(number) * {"h": 3600, "m": 60, "s": 1}.get(char, 0), ""
    return total + float(number or 0)


def drain(client, args, names: list) -> int:
    """Cordon, then evict every pod; a PodDisruptionBudget is waited for until --timeout (0 is for ever)."""
    cordon(client, args, "cordon", names)
    limit = _duration(args.flags.get("timeout", "0"))
    end = time.monotonic() + limit if limit else None
    row = resource(client, "pod")
    for name in names:
        pods = client.call("GET", f"{client.path(row)}?fieldSelector=spec.nodeName%3D{name}")["items"]
        owned = {pod["metadata"]["name"]: [one["kind"] for one in pod["metadata"].get("ownerReferences") or []] for pod in pods}
        daemons = [pod for pod, kinds in owned.items() if "DaemonSet" in kinds]
        bare = [pod for pod, kinds in owned.items() if not kinds]
        if daemons and not args.on("ignore-daemonsets"):
            raise ApiError(0, "", f"error: unable to drain node \"{name}\" due to error: cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore): {', '.join(daemons)}")
        if bare and not args.on("force"):
            raise ApiError(0, "", f"error: unable to drain node \"{name}\" due to error: cannot delete Pods that declare no controller (use --force to override): {', '.join(bare)}")
        volumes = [pod["metadata"]["name"] for pod in pods if any("emptyDir" in one for one in pod["spec"].get("volumes") or [])]
        if volumes and not args.on("delete-emptydir-data", "delete-local-data"):
            raise ApiError(0, "", f"error: unable to drain node \"{name}\" due to error: cannot delete Pods with local storage (use --delete-emptydir-data to override): {', '.join(volumes)}")
        for pod in pods:
            if pod["metadata"]["name"] not in daemons:
                _evict(client, args, row, pod, end)
        print(f"node/{name} drained")
    return 0


def _evict(client, args, row, pod: dict, end) -> None:
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    while True:
        try:
            print(f"evicting pod {namespace}/{name}")
            if args.on("disable-eviction"):
                gone = client.call("DELETE", client.path(row, namespace, name))
            else:
                client.call("POST", client.path(row, namespace, name) + "/eviction", {
                    "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}})
            print(f"pod/{name} evicted")
            return
        except ApiError as failure:
            if failure.code == 404:
                return
            if failure.code != 429:
                raise
            if end and time.monotonic() + 5 > end:
                time.sleep(max(0.0, end - time.monotonic()))
                raise ApiError(0, "", f'error: error when evicting pods/"{name}" -n "{namespace}": global timeout reached') from None
            print(f'error when evicting pods/"{name}" -n "{namespace}" (will retry after 5s): {failure.message}', file=sys.stderr)
            time.sleep(5)


def patch(client, args, verb: str, words: list) -> int:
    """patch, label, annotate and taint."""
    if verb == "patch":
        named, changes = targets(client, words), []
    else:
        split = next((at for at, word in enumerate(words) if at and ("=" in word or word.endswith("-") or (verb == "taint" and ":" in word))), len(words))
        named, changes = targets(client, words[:split]), words[split:]
    for row, name in named:
        namespace = args.flags.get("namespace", "default") if row.namespaced else ""
        path = client.path(row, namespace, name)
        if verb == "patch":
            kind = args.flags.get("type", "strategic")
            client.call("PATCH", path, documents(args.flags["patch"])[0], _KINDS[kind])
        elif verb == "taint":
            taints = {(t["key"], t["effect"]): t for t in client.call("GET", path)["spec"].get("taints") or []}
            for text in changes:
                if text.endswith("-"):
                    key, _, effect = text[:-1].partition(":")
                    taints = {pair: t for pair, t in taints.items() if pair[0] != key.partition("=")[0] or (effect and pair[1] != effect)}
                else:
                    from .nodes import parse_taint
                    taint = parse_taint(text)
                    taints[(taint["key"], taint["effect"])] = taint
            client.call("PATCH", path, {"spec": {"taints": list(taints.values()) or None}}, MERGE)
        else:
            values = {text[:-1] if text.endswith("-") else text.partition("=")[0]: None if text.endswith("-") else text.partition("=")[2] for text in changes}
            client.call("PATCH", path, {"metadata": {"labels" if verb == "label" else "annotations": values}}, MERGE)
        print(f"{row.kind.lower()}/{name} {verb}ed" if verb != "annotate" else f"{row.kind.lower()}/{name} annotated")
    return 0


def wait(client, args, verb: str, words: list) -> int:
    """wait --for=condition=X[=v] | delete | jsonpath=…; rollout status of a Deployment."""
    wanted = args.flags.get("for", "condition=Available")
    words = words[1:] if verb == "rollout" else words
    end = time.monotonic() + _duration(args.flags.get("timeout", "30s"))
    while True:
        try:
            objects = [(row, one) for row, group, _ in collect(client, args, words) for one in group]
        except ApiError as failure:
            if wanted != "delete" or failure.code != 404:
                raise
            objects = []
        if wanted == "delete" and not objects:
            return 0
        if objects and wanted != "delete" and all(_met(wanted, one) for _, one in objects):
            for row, one in objects:
                print(f"{row.kind.lower()}/{one['metadata']['name']} condition met")
            return 0
        if not objects and wanted != "delete":
            raise ApiError(0, "", "error: no matching resources found")
        if time.monotonic() > end:
            raise ApiError(0, "", f"error: timed out waiting for the condition on {', '.join(one['metadata']['name'] for _, one in objects)}")
        time.sleep(0.3)


def _met(wanted: str, one: dict) -> bool:
    if wanted.startswith("jsonpath="):
        path, _, value = wanted[9:].rpartition("=")
        return jsonpath.render(path.strip("'"), one) == value
    kind, _, value = wanted.partition("=")[2].partition("=")
    return any(c["type"].lower() == kind.lower() and c["status"].lower() == (value or "true").lower()
               for c in one.get("status", {}).get("conditions") or [])
