"""What k3s' own controllers are led by: a Lease each, which is held for 45 seconds by who renewed it last."""
import calendar
import time

from . import env
from .kube import ApiError

ETCD = "k3s-etcd"
NAMES = ("k3s", ETCD)
_RENEW = 5  # seconds


class Leadership:
    """The leases of one server of a cluster with etcd."""

    def __init__(self, kube, me: str):
        self.kube, self.me = kube, me

    @property
    def row(self):
        return self.kube.resource("coordination.k8s.io/v1", "Lease")

    def holder(self, name: str) -> str:
        """The node that leads, or nothing where nobody does."""
        lease = self.kube.find(self.row, "kube-system", name)
        spec = lease["spec"] if lease else {}
        return spec.get("holderIdentity") or "" if lease and _age(spec) < env.seconds("leader_ms") else ""

    def tick(self) -> None:
        """Take what nobody leads, renew what is led, and let the Nodes go that were waiting for a leader."""
        for name in NAMES:
            self._keep(name)
        if self.holder(ETCD) == self.me:
            nodes = self.kube.resource("v1", "Node")
            for node in self.kube.list(nodes):
                if node["metadata"].get("deletionTimestamp"):
                    self.kube.remove(nodes, node)

    def _keep(self, name: str) -> None:
        lease = self.kube.find(self.row, "kube-system", name)
        holder = self.holder(name)
        if holder and (holder != self.me or _age(lease["spec"]) < _RENEW):
            return
        spec = {"holderIdentity": self.me, "leaseDurationSeconds": int(env.seconds("leader_ms")) or 1,
                "renewTime": time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())}
        try:
            if lease is None:
                self.kube.create(self.row, "kube-system", {"metadata": {"name": name}, "spec": spec})
            else:
                self.kube.update(self.row, "kube-system", name, {**lease, "spec": {**lease["spec"], **spec}})
        except ApiError as failure:
            if failure.reason not in ("AlreadyExists", "Conflict", "NotFound"):
                raise


def _age(spec: dict) -> float:
    stamp = (spec.get("renewTime") or "1970-01-01T00:00:00").partition(".")[0]
    return time.time() - calendar.timegm(time.strptime(stamp, "%Y-%m-%dT%H:%M:%S"))
