"""Kubernetes objects on a datastore: create, read, update, patch, delete, with the errors of an API server."""
import datetime
import re

from . import patch as patches
from .resources import BUILT_IN, Resource, find_kind, from_crd
from .store import Conflict


class ApiError(Exception):
    """An answer of the API server that is no success."""

    def __init__(self, code: int, reason: str, message: str):
        self.code, self.reason, self.message = code, reason, message
        super().__init__(message)

    def status(self) -> dict:
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message,
                "reason": self.reason, "code": self.code}


def now() -> str:
    """The present in the form of creationTimestamp."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def not_found(resource: Resource, name: str) -> ApiError:
    where = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
    return ApiError(404, "NotFound", f'{where} "{name}" not found')


def selected(obj: dict, label: str, field: str) -> bool:
    """Whether an object passes a labelSelector and a fieldSelector."""
    labels = obj["metadata"].get("labels") or {}
    for term in filter(None, re.split(r",(?![^(]*\))", label or "")):
        term = term.strip()
        found = re.fullmatch(r"(\S+)\s+(in|notin)\s+\(([^)]*)\)", term)
        if found:
            inside = labels.get(found.group(1)) in [part.strip() for part in found.group(3).split(",")]
            if inside != (found.group(2) == "in"):
                return False
        elif "!=" in term:
            key, _, value = term.partition("!=")
            if labels.get(key.strip()) == value.strip():
                return False
        elif "=" in term:
            key, _, value = term.replace("==", "=").partition("=")
            if labels.get(key.strip()) != value.strip():
                return False
        elif term.startswith("!"):
            if term[1:] in labels:
                return False
        elif term not in labels:
            return False
    for term in filter(None, (field or "").split(",")):
        equal = "!=" not in term
        path, _, value = term.replace("==", "=").replace("!=", "=").partition("=")
        at = obj
        for part in path.split("."):
            at = at.get(part, {}) if isinstance(at, dict) else {}
        if ((at if at != {} else "") == value) != equal:
            return False
    return True


class Kube:
    """The API server's logic without HTTP. `backend` has `store` and `propose`; `hooks` see every deleted object."""

    def __init__(self, backend):
        self.backend = backend
        self.delete_hooks = []
        self.finalizers = []

    def rows(self) -> list:
        """Every resource served now: the built-in ones and those of CustomResourceDefinitions."""
        crds = self.backend.store.list("/registry/apiextensions.k8s.io/customresourcedefinitions/")
        return BUILT_IN + [row for _, crd, _ in crds for row in from_crd(crd)]

    @staticmethod
    def key(resource: Resource, namespace: str, name: str) -> str:
        return f"/registry/{resource.group or 'core'}/{resource.plural}/{namespace or '-'}/{name}"

    def resource(self, api_version: str, kind: str) -> Resource:
        row = find_kind(self.rows(), api_version, kind)
        if row is None:
            raise ApiError(404, "NotFound", f'no matches for kind "{kind}" in version "{api_version}"')
        return row

    @staticmethod
    def shown(value: dict, revision: int) -> dict:
        return {**value, "metadata": {**value["metadata"], "resourceVersion": str(revision)}}

    def get(self, resource: Resource, namespace: str, name: str) -> dict:
        value, revision = self.backend.store.get(self.key(resource, namespace, name))
        if not revision:
            raise not_found(resource, name)
        return self.shown(value, revision)

    def find(self, resource: Resource, namespace: str, name: str):
        """The object, or None."""
        try:
            return self.get(resource, namespace, name)
        except ApiError:
            return None

    def list(self, resource: Resource, namespace: str = "", label: str = "", field: str = "") -> list:
        prefix = self.key(resource, namespace, "") if namespace else self.key(resource, "", "")[:-2]
        found = [self.shown(value, revision) for _, value, revision in self.backend.store.list(prefix)]
        return [obj for obj in found if selected(obj, label, field)]

    def create(self, resource: Resource, namespace: str, obj: dict) -> dict:
        import uuid
        meta = dict(obj.get("metadata") or {})
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = meta["generateName"] + uuid.uuid4().hex[:5]
        name = meta.get("name", "")
        if not re.fullmatch(r"[a-z0-9A-Z:]([-a-z0-9A-Z:.@+_]*[a-z0-9A-Z])?", name):
            raise ApiError(422, "Invalid", f'{resource.kind} "{name}" is invalid: metadata.name: Invalid value: "{name}"')
        if resource.namespaced:
            namespace = namespace or meta.get("namespace") or "default"
            meta["namespace"] = namespace
            space, found = self.backend.store.get(f"/registry/core/namespaces/-/{namespace}")
            if not found or space.get("status", {}).get("phase") == "Terminating":
                raise ApiError(404, "NotFound", f'namespaces "{namespace}" not found')
        else:
            meta.pop("namespace", None)
            namespace = ""
        meta.pop("resourceVersion", None)
        meta.update(uid=str(uuid.uuid4()), creationTimestamp=now(), generation=1)
        value = {"apiVersion": resource.api_version, "kind": resource.kind, **obj, "metadata": meta}
        if resource.kind == "Secret" and value.get("stringData"):
            import base64
            plain = {k: base64.b64encode(v.encode()).decode() for k, v in value.pop("stringData").items()}
            value["data"] = {**(value.get("data") or {}), **plain}
        if resource.kind == "Namespace":
            value["status"] = {"phase": "Active"}
        return self._write(resource, namespace, value, 0)

    def _write(self, resource: Resource, namespace: str, value: dict, expect) -> dict:
        name = value["metadata"]["name"]
        value = {**value, "metadata": {k: v for k, v in value["metadata"].items() if k != "resourceVersion"}}
        key = self.key(resource, namespace, name)
        try:
            self.backend.propose([{"key": key, "value": value, "expect": expect}])
        except Conflict as conflict:
            if conflict.kind == "exists":
                raise ApiError(409, "AlreadyExists", f'{resource.plural} "{name}" already exists') from None
            if conflict.kind == "missing":
                raise not_found(resource, name) from None
            raise ApiError(409, "Conflict", f'Operation cannot be fulfilled on {resource.plural} "{name}": the object '
                           "has been modified; please apply your changes to the latest version and try again") from None
        return self.shown(*self.backend.store.get(key)) if self.backend.store.get(key)[1] else value

    def update(self, resource: Resource, namespace: str, name: str, obj: dict, status_only: bool = False) -> dict:
        before = self.get(resource, namespace, name)
        given = (obj.get("metadata") or {}).get("resourceVersion")
        if before.get("immutable") and obj.get("data") != before.get("data"):
            raise ApiError(422, "Invalid", f'{resource.kind} "{name}" is invalid: data: Forbidden: field is immutable')
        merged = {**before, "status": obj.get("status", {})} if status_only else {**obj}
        merged["metadata"] = {**(obj.get("metadata") or {}), **{
            key: before["metadata"][key] for key in ("uid", "creationTimestamp", "name") if key in before["metadata"]}}
        if resource.namespaced:
            merged["metadata"]["namespace"] = before["metadata"]["namespace"]
        merged.setdefault("apiVersion", resource.api_version)
        merged.setdefault("kind", resource.kind)
        if not status_only and "status" in before and "status" not in obj:
            merged["status"] = before["status"]
        return self._write(resource, before["metadata"].get("namespace", ""), merged, int(given) if given else -1)

    def patch(self, resource: Resource, namespace: str, name: str, change, kind: str = "merge", tries: int = 8) -> dict:
        """`kind`: merge, strategic, json, or apply (server-side apply, which creates too)."""
        for turn in range(tries):
            before = self.find(resource, namespace, name)
            if before is None and kind == "apply":
                return self.create(resource, namespace, change)
            if before is None:
                raise not_found(resource, name)
            try:
                after = (patches.json_patch(before, change) if kind == "json"
                         else patches.merge(before, change, kind != "merge"))
            except patches.PatchError as failure:
                raise ApiError(422, "Invalid", str(failure)) from None
            try:
                return self.update(resource, namespace, name, after)
            except ApiError as failure:
                if failure.reason != "Conflict" or turn == tries - 1:
                    raise
        raise AssertionError("unreachable")

    def delete(self, resource: Resource, namespace: str, name: str) -> dict:
        """Delete at once, unless a finalizer is to do its work first; who does that calls `remove`."""
        gone = self.get(resource, namespace, name)
        if any(hook(resource, gone) for hook in self.finalizers):
            if gone["metadata"].get("deletionTimestamp"):
                return gone
            return self.patch(resource, namespace, name, {"metadata": {"deletionTimestamp": now()}})
        return self.remove(resource, gone)

    def remove(self, resource: Resource, gone: dict) -> dict:
        name = gone["metadata"]["name"]
        key = self.key(resource, gone["metadata"].get("namespace", ""), name)
        operations = [{"key": key, "value": None, "expect": -1}]
        if resource.kind == "Namespace":
            operations += [{"key": k, "value": None} for k, _, _ in self.backend.store.list("/registry/")
                           if k.split("/")[4] == name]
        try:
            self.backend.propose(operations)
        except Conflict:
            raise not_found(resource, name) from None
        for hook in self.delete_hooks:
            hook(resource, gone)
        return gone

    def apply(self, manifest: dict, create_only: bool = False) -> tuple:
        """Create the object of a manifest, or merge it into the one that is there; gives (object, created)."""
        if not isinstance(manifest, dict) or not manifest.get("kind") or not manifest.get("apiVersion"):
            raise ApiError(400, "BadRequest", "Object 'Kind' is missing")
        resource = self.resource(manifest["apiVersion"], manifest["kind"])
        meta = manifest.get("metadata") or {}
        namespace = (meta.get("namespace") or "default") if resource.namespaced else ""
        if create_only or self.find(resource, namespace, meta.get("name", "")) is None:
            return self.create(resource, namespace, manifest), True
        return self.patch(resource, namespace, meta["name"], manifest, "merge"), False
