"""Who may do what at the API: administrators everything, a kubelet what concerns its own node."""
from . import version
from .kube import ApiError


def authorize(request, user: tuple) -> None:
    """Raise 403 when the user of a client certificate may not do this. `user` is (name, groups)."""
    name, groups = user
    path = request.url.path
    if "system:masters" in groups or not path.startswith(("/api/v1/", "/apis/")):
        return
    if "system:nodes" not in groups or not _kubelet(request, name.removeprefix("system:node:"), path):
        what = path.split("/")[-1]
        raise ApiError(403, "Forbidden", f'User "{name}" cannot {request.method.lower()} resource at the cluster scope: {what}')


def _kubelet(request, node: str, path: str) -> bool:
    parts = path.strip("/").split("/")
    if parts[:3] == ["api", "v1", "nodes"]:
        if len(parts) > 3:
            return parts[3] == node and request.method != "DELETE"
        # From 1.32 a kubelet reads no Node but its own.
        return request.method == "POST" or version.minor() < 32 or f"metadata.name%3D{node}" in request.url.query
    if "leases" in parts:
        return parts[-1] == node
    if "secrets" in parts:
        return False
    # Discovery, and what a kubelet reads for its pods.
    return request.method == "GET"
