"""The Kubernetes resources that the stand-in serves."""
from collections import namedtuple


class Resource(namedtuple("Resource", "group version plural kind namespaced short", defaults=(True, ()))):
    """One row of discovery. `group` is empty for the core group."""
    __slots__ = ()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


_ROWS = """
 v1 nodes Node - no
 v1 namespaces Namespace - ns
 v1 persistentvolumes PersistentVolume - pv
 v1 pods Pod + po
 v1 services Service + svc
 v1 endpoints Endpoints + ep
 v1 configmaps ConfigMap + cm
 v1 secrets Secret + -
 v1 serviceaccounts ServiceAccount + sa
 v1 events Event + ev
 v1 persistentvolumeclaims PersistentVolumeClaim + pvc
 v1 replicationcontrollers ReplicationController + rc
 v1 resourcequotas ResourceQuota + quota
 v1 limitranges LimitRange + limits
apps v1 deployments Deployment + deploy
apps v1 daemonsets DaemonSet + ds
apps v1 statefulsets StatefulSet + sts
apps v1 replicasets ReplicaSet + rs
batch v1 jobs Job + -
batch v1 cronjobs CronJob + cj
policy v1 poddisruptionbudgets PodDisruptionBudget + pdb
policy v1beta1 poddisruptionbudgets PodDisruptionBudget + pdb
coordination.k8s.io v1 leases Lease + -
networking.k8s.io v1 ingresses Ingress + ing
networking.k8s.io v1 networkpolicies NetworkPolicy + netpol
networking.k8s.io v1 ingressclasses IngressClass - -
rbac.authorization.k8s.io v1 clusterroles ClusterRole - -
rbac.authorization.k8s.io v1 clusterrolebindings ClusterRoleBinding - -
rbac.authorization.k8s.io v1 roles Role + -
rbac.authorization.k8s.io v1 rolebindings RoleBinding + -
storage.k8s.io v1 storageclasses StorageClass - sc
scheduling.k8s.io v1 priorityclasses PriorityClass - pc
apiextensions.k8s.io v1 customresourcedefinitions CustomResourceDefinition - crd
helm.cattle.io v1 helmcharts HelmChart + -
helm.cattle.io v1 helmchartconfigs HelmChartConfig + -
k3s.cattle.io v1 addons Addon + -
k3s.cattle.io v1 etcdsnapshotfiles ETCDSnapshotFile - -
"""


def _parse() -> list:
    out = []
    for line in _ROWS.splitlines():
        if not line.strip():
            continue
        group, rest = ("", line.split()) if line.startswith(" ") else (line.split()[0], line.split()[1:])
        version, plural, kind, scope, short = rest
        out.append(Resource(group, version, plural, kind, scope == "+", () if short == "-" else (short,)))
    return out


BUILT_IN = _parse()


def from_crd(crd: dict) -> list:
    """The resources that a CustomResourceDefinition adds, one for each served version."""
    spec = crd.get("spec", {})
    names = spec.get("names", {})
    versions = spec.get("versions") or [{"name": spec.get("version", "v1"), "served": True}]
    return [Resource(spec.get("group", ""), version["name"], names.get("plural", ""), names.get("kind", ""),
                     spec.get("scope") != "Cluster", tuple(names.get("shortNames") or ()))
            for version in versions if version.get("served", True)]


def find(rows: list, group: str, version: str, plural: str):
    """By URL: group, version and plural name; None when not served."""
    for row in rows:
        if row.group == group and row.version == version and row.plural == plural:
            return row
    return None


def find_kind(rows: list, api_version: str, kind: str):
    """By manifest: apiVersion and kind; None when not served."""
    for row in rows:
        if row.api_version == api_version and row.kind == kind:
            return row
    return None


def find_word(rows: list, word: str):
    """By what a user types: plural, singular, short name or plural.group; None when not known."""
    word, _, group = word.lower().partition(".")
    for row in rows:
        if word in (row.plural, row.kind.lower(), *row.short) and (not group or group.endswith(row.group)):
            return row
    return None
