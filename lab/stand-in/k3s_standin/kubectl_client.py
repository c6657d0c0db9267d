"""The HTTP side of `k3s kubectl`: a kubeconfig, and requests to its server."""
import json
import os
import ssl

from . import env, http_client
from .kube import ApiError
from .kubeconfig import Access
from .resources import BUILT_IN, Resource, from_crd


class Client:
    """Requests with the certificates of a kubeconfig: the flag, KUBECONFIG, or k3s.yaml."""

    def __init__(self, path: str = "", context: str = "", server: str = "", insecure: bool = False, files: tuple = ()):
        """`files`: authority, certificate and key as flags name them, with a kubeconfig that is empty."""
        self._rows = None
        if files:
            self.server, self.ctx = server, http_client.context(*files, names=True)
            return
        if insecure:
            # No credentials either: whoever asks this way wants to know whether somebody answers.
            self.server, self.ctx = server, ssl._create_unverified_context()  # pylint: disable=protected-access
            return
        path = path or os.environ.get("KUBECONFIG", "").split(":")[0] or env.host("/etc/rancher/k3s/k3s.yaml")
        if not os.path.exists(path):
            raise ApiError(0, "", f'error: error loading config file "{path}": open {path}: no such file or directory')
        try:
            self.access = Access(path, context)
        except (ValueError, AttributeError) as failure:
            raise ApiError(0, "", f"error: {failure}") from None
        self.server = server or self.access.server
        self.ctx = http_client.context(self.access.ca, self.access.cert, self.access.key, names=True)

    def raw(self, method: str, path: str, body: bytes = None, kind: str = "application/json", timeout: float = 30) -> bytes:
        try:
            return http_client.request(method, self.server + path, self.ctx, body=body, timeout=timeout,
                                       headers={"Content-Type": kind} if body is not None else {})
        except http_client.HttpError as failure:
            try:
                status = json.loads(failure.body)
                raise ApiError(failure.status, status.get("reason", ""), status.get("message", "")) from None
            except ValueError:
                raise ApiError(failure.status, "InternalError", failure.body.decode(errors="replace")) from None
        except OSError as failure:
            host = self.server.split("//")[-1]
            text = str(failure)
            if "refused" in text:
                raise ApiError(0, "", f"The connection to the server {host} was refused - did you specify the right host or port?") from None
            raise ApiError(0, "", f"Unable to connect to the server: {text}") from None

    def call(self, method: str, path: str, body=None, kind: str = "application/json"):
        data = self.raw(method, path, None if body is None else json.dumps(body).encode(), kind)
        return json.loads(data)

    def rows(self) -> list:
        """Every resource that the server serves."""
        if self._rows is None:
            crds = self.call("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions")["items"]
            self._rows = BUILT_IN + [row for crd in crds for row in from_crd(crd)]
        return self._rows

    @staticmethod
    def path(resource: Resource, namespace: str = "", name: str = "") -> str:
        base = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.version}"
        if resource.namespaced and namespace:
            base += f"/namespaces/{namespace}"
        return f"{base}/{resource.plural}" + (f"/{name}" if name else "")
