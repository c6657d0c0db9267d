"""The Kubernetes REST API over Kube: discovery, objects, tables, watches, evictions."""
import json
import time
import urllib.parse

from . import env, version
from .kube import ApiError, Kube, selected
from .kube_tables import table
from .resources import find

#: The verbs that discovery names.
VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
PATCHES = {"application/merge-patch+json": "merge", "application/strategic-merge-patch+json": "strategic",
           "application/json-patch+json": "json", "application/apply-patch+yaml": "apply"}
#: Kinds that `kubectl get all` shows.
_ALL = ("Pod", "Service", "Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "Job", "CronJob")


class KubeHttp:
    """Answers authenticated requests below /api, /apis, /version and /openapi."""

    def __init__(self, kube: Kube, evict):
        self.kube = kube
        self.evict = evict

    def handle(self, request) -> None:
        """`request` is the supervisor's handler: method, url, headers, body(), send(code, object)."""
        try:
            self._route(request)
        except ApiError as failure:
            request.send(failure.code, failure.status())

    def _route(self, request) -> None:
        parts = [part for part in request.url.path.split("/") if part]
        if parts == ["version"]:
            text = version.VERSION
            return request.send(200, {"major": "1", "minor": str(version.minor()), "gitVersion": text,
                                      "gitTreeState": "stand-in", "goVersion": version.GO_VERSION,
                                      "compiler": "gc", "platform": "linux/amd64"})
        if parts[0] == "openapi":
            if parts[1:2] == ["v3"]:
                return request.send(200, {"paths": {}})
            # An empty protobuf document: kubectl then validates nothing. It parses the type, in which Kubernetes' own `@` is no letter.
            return request.send_raw(200, b"", "application/octet-stream")
        if parts == ["api"]:
            return request.send(200, {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
        if parts == ["apis"]:
            return request.send(200, self._groups())
        if parts[0] == "api" and len(parts) >= 2:
            group, at = "", 2
        elif parts[0] == "apis" and len(parts) >= 2:
            group, at = parts[1], 3
            if len(parts) == 2:
                found = [g for g in self._groups()["groups"] if g["name"] == group]
                if not found:
                    raise ApiError(404, "NotFound", "the server could not find the requested resource")
                return request.send(200, {"kind": "APIGroup", "apiVersion": "v1", **found[0]})
        else:
            raise ApiError(404, "NotFound", "the server could not find the requested resource")
        if len(parts) == at:
            return request.send(200, self._discovery(group, parts[at - 1]))
        return self._objects(request, group, parts[at - 1], parts[at:])

    def _groups(self) -> dict:
        versions = {}
        for row in self.kube.rows():
            if row.group and row.version not in versions.setdefault(row.group, []):
                versions[row.group].append(row.version)
        groups = []
        for name, found in versions.items():
            entries = [{"groupVersion": f"{name}/{one}", "version": one} for one in found]
            groups.append({"name": name, "versions": entries, "preferredVersion": entries[0]})
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}

    def _discovery(self, group: str, wanted: str) -> dict:
        out = []
        for row in self.kube.rows():
            if (row.group, row.version) != (group, wanted):
                continue
            out.append({"name": row.plural, "singularName": row.kind.lower(), "namespaced": row.namespaced,
                        "kind": row.kind, "verbs": VERBS, "shortNames": list(row.short),
                        "categories": ["all"] if row.kind in _ALL else []})
            if row.kind in ("Node", "Deployment", "Pod"):
                out.append({"name": f"{row.plural}/status", "singularName": "", "namespaced": row.namespaced,
                            "kind": row.kind, "verbs": ["get", "patch", "update"]})
            if row.kind == "Pod":
                out.append({"name": "pods/eviction", "singularName": "", "namespaced": True, "group": "policy",
                            "version": "v1beta1" if version.minor() < 25 else "v1", "kind": "Eviction", "verbs": ["create"]})
        if not out:
            raise ApiError(404, "NotFound", "the server could not find the requested resource")
        return {"kind": "APIResourceList", "apiVersion": "v1", "resources": out,
                "groupVersion": f"{group}/{wanted}" if group else wanted}

    def _objects(self, request, group: str, wanted: str, rest: list) -> None:
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2:
            namespace, rest = urllib.parse.unquote(rest[1]), rest[2:]
        resource = find(self.kube.rows(), group, wanted, rest[0])
        if resource is None:
            raise ApiError(404, "NotFound", "the server could not find the requested resource")
        name = urllib.parse.unquote(rest[1]) if len(rest) > 1 else ""
        sub = rest[2] if len(rest) > 2 else ""
        query = dict(urllib.parse.parse_qsl(request.url.query))
        method = request.method
        if sub == "eviction" and method == "POST":
            self.evict(namespace, name)
            return request.send(201, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})
        if method == "GET" and not name:
            return self._list(request, resource, namespace, query)
        if method == "GET":
            found = self.kube.get(resource, namespace, name)
            return request.send(200, self._shape(request, resource, [found], found))
        if method == "POST" and not name:
            return request.send(201, self.kube.create(resource, namespace, _body(request)))
        if method == "PUT" and name:
            body = _body(request)
            if self.kube.find(resource, namespace, name) is None and resource.kind == "Lease":
                return request.send(201, self.kube.create(resource, namespace, body))
            return request.send(200, self.kube.update(resource, namespace, name, body, sub == "status"))
        if method == "PATCH" and name:
            form = PATCHES.get(request.headers.get("Content-Type", "").split(";")[0])
            if form is None:
                raise ApiError(415, "UnsupportedMediaType", "the body of the request was in an unknown format")
            return request.send(200, self.kube.patch(resource, namespace, name, _body(request), form))
        if method == "DELETE":
            names = [name] if name else [obj["metadata"]["name"] for obj in self.kube.list(
                resource, namespace, query.get("labelSelector", ""), query.get("fieldSelector", ""))]
            gone = [self.kube.delete(resource, namespace, one) for one in names]
            return request.send(200, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
                                      "details": {"name": name, "kind": resource.plural, **({"uid": gone[0]["metadata"]["uid"]} if name else {})}})
        raise ApiError(405, "MethodNotAllowed", f"the server does not allow this method on the requested resource")

    def _shape(self, request, resource, objects: list, otherwise: dict) -> dict:
        if "as=Table" in request.headers.get("Accept", ""):
            return table(resource.kind, objects, self.kube.backend.store.revision)
        return otherwise

    def _list(self, request, resource, namespace: str, query: dict) -> None:
        label, field = query.get("labelSelector", ""), query.get("fieldSelector", "")
        if query.get("watch") in ("true", "1"):
            return self._watch(request, resource, namespace, query, label, field)
        found = self.kube.list(resource, namespace, label, field)
        whole = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version,
                 "metadata": {"resourceVersion": str(self.kube.backend.store.revision)}, "items": found}
        return request.send(200, self._shape(request, resource, found, whole))

    def _watch(self, request, resource, namespace: str, query: dict, label: str, field: str) -> None:
        store = self.kube.backend.store
        end = time.monotonic() + float(query.get("timeoutSeconds") or 300)
        at = int(query.get("resourceVersion") or 0)
        prefix = self.kube.key(resource, namespace, "") if namespace else self.kube.key(resource, "", "")[:-2]
        request.begin_stream()

        def emit(kind: str, obj: dict) -> None:
            request.stream(json.dumps({"type": kind, "object": self._shape(request, resource, [obj], obj)}).encode() + b"\n")

        if not at:
            at = store.revision
            for obj in self.kube.list(resource, namespace, label, field):
                emit("ADDED", obj)
        while time.monotonic() < end and not request.server.stopping:
            store.wait(at + 1, 0.5)
            changes = store.since(at)
            if changes is None:
                gone = ApiError(410, "Expired", "too old resource version")
                request.stream(json.dumps({"type": "ERROR", "object": gone.status()}).encode() + b"\n")
                break
            for revision, key, value, before in changes:
                at = revision
                if not key.startswith(prefix):
                    continue
                obj = Kube.shown(value or before, revision) if value or before else None
                if obj is not None and selected(obj, label, field):
                    emit("DELETED" if value is None else "MODIFIED" if before else "ADDED", obj)
        request.end_stream()


def _body(request):
    raw = request.body()
    try:
        return json.loads(raw)
    except ValueError:
        if b"protobuf" in request.headers.get("Content-Type", "").encode():
            raise ApiError(415, "UnsupportedMediaType", "the stand-in takes JSON only") from None
        from .yaml_mini import load
        return load(raw.decode())


def health(path: str, quorum: bool, verbose: bool) -> tuple:
    """(status, text) of /readyz, /livez and /healthz."""
    good = quorum and bool(env.knobs()["api_ready"])
    if good and not verbose:
        return 200, "ok"
    kind = path.strip("/").partition("/")[0]
    etcd = "[+]etcd ok" if good else "[-]etcd failed: reason withheld"
    return (200 if good else 500), f"[+]ping ok\n{etcd}\n{kind} check {'passed' if good else 'failed'}\n"
