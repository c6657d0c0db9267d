"""What kube-controller-manager, the scheduler and k3s' own controllers do, as far as airlift can see it."""
import calendar
import ipaddress
import itertools
import os
import threading
import time

from . import addons, env, identity, log
from .etcd import NoQuorum
from .kube import ApiError, selected
from .leadership import ETCD, Leadership
from .nodes import condition
from .store import Conflict
from .workloads import reconcile_workloads
from .yaml_lines import YamlError
from .yaml_mini import documents


class Controllers:
    """Loops of one server. Those that change the cluster run on the datastore's leader only."""

    def __init__(self, server):
        self.server, self.kube = server, server.kube
        self.kube.delete_hooks.append(self._deleted)
        self.kube.finalizers.append(self._left_behind)
        self.leadership = Leadership(self.kube, identity.node_name(server.cfg))
        self.files = {}
        self.noted = 0.0

    def start(self) -> None:
        for loop, pause in ((self._manifests, 0.5), (self._cluster, 0.5)):
            threading.Thread(target=self._forever, args=(loop, pause), daemon=True).start()

    def _forever(self, loop, pause: float) -> None:
        begin = time.monotonic()
        while True:
            time.sleep(pause)
            if not self.server.quorum():
                continue
            try:
                loop(time.monotonic() - begin)
            except (ApiError, NoQuorum, Conflict) as failure:
                log.warn(f"controller: {failure}")
            except Exception as failure:  # a controller that dies would hide what it did not do
                log.error(f"controller failed: {failure!r}")

    # -- manifests ------------------------------------------------------------------------------------------------

    def _manifests(self, _running: float) -> None:
        directory = self.server.cfg.path("server/manifests")
        for root, _, names in sorted(os.walk(directory)):
            for name in sorted(names):
                path = os.path.join(root, name)
                if not name.endswith((".yaml", ".yml", ".json")) or os.path.exists(path + ".skip"):
                    continue
                try:
                    mark = os.stat(path).st_mtime_ns
                except OSError:
                    continue
                if self.files.get(path) != mark and self._apply_file(path):
                    self.files[path] = mark

    def _apply_file(self, path: str) -> bool:
        name = os.path.basename(path).rsplit(".", 1)[0].lower().replace("_", "-")
        try:
            for manifest in documents(env.read(path)):
                for item in manifest.get("items", []) if manifest.get("kind") == "List" else [manifest]:
                    self.kube.apply(item)
        except (ApiError, YamlError, AttributeError) as failure:
            log.error(f"Failed to process config: failed to process {path}: {failure}")
            return False
        self.kube.apply({"apiVersion": "k3s.cattle.io/v1", "kind": "Addon", "metadata": {"name": name, "namespace": "kube-system"},
                         "spec": {"source": path}})
        log.info(f"Applied manifest at {path}")
        return True

    # -- the cluster ----------------------------------------------------------------------------------------------

    def _cluster(self, running: float) -> None:
        # What is packaged is deployed by every server that does not disable it: they fight, as k3s' do.
        if running >= env.seconds("addon_ms"):
            addons.deploy(self.kube, self.server.cfg)
        etcd = self.server.etcd
        if etcd is not None:
            self.leadership.tick()
            leader = etcd.leader()
            if leader is None or leader["name"] != etcd.me:
                return
            self._voters(etcd, running)
        self._node_health()
        reconcile_workloads(self.kube)

    def _node_health(self) -> None:
        nodes, leases = self.kube.resource("v1", "Node"), self.kube.resource("coordination.k8s.io/v1", "Lease")
        taken = {node["spec"].get("podCIDR") for node in self.kube.list(nodes)}
        for node in self.kube.list(nodes):
            name = node["metadata"]["name"]
            if not node["spec"].get("podCIDR"):
                cidrs = next(found for found in _pod_cidrs(self.server.cfg["cluster-cidr"]) if found[0] not in taken)
                taken.add(cidrs[0])
                self.kube.patch(nodes, "", name, {"spec": {"podCIDR": cidrs[0], "podCIDRs": list(cidrs)}})
            lease = self.kube.find(leases, "kube-node-lease", name)
            conditions = {c["type"]: c for c in node.get("status", {}).get("conditions", [])}
            if lease is None or "Ready" not in conditions:
                continue
            stamp = lease["spec"]["renewTime"].partition(".")[0]
            age = time.time() - calendar.timegm(time.strptime(stamp, "%Y-%m-%dT%H:%M:%S"))
            unreachable = {"key": "node.kubernetes.io/unreachable", "effect": "NoSchedule"}
            taints = [taint for taint in node["spec"].get("taints") or [] if taint["key"] != unreachable["key"]]
            if age > env.seconds("lost_ms") and conditions["Ready"]["status"] != "Unknown":
                lost = condition("Ready", "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
                self.kube.patch(nodes, "", name, {"spec": {"taints": taints + [unreachable]}, "status": {"conditions": [lost]}}, "strategic")
            elif conditions["Ready"]["status"] == "True" and len(taints) != len(node["spec"].get("taints") or []):
                self.kube.patch(nodes, "", name, {"spec": {"taints": taints or None}}, "strategic")

    def _voters(self, etcd, running: float) -> None:
        """Members on their Nodes: what they are called at once, and, as rarely as k3s, whether they vote."""
        due = running - self.noted >= env.seconds("note_ms")
        if due:
            self.noted = running
        nodes = self.kube.resource("v1", "Node")
        for member in etcd.members():
            node = self.kube.find(nodes, "", member["node"])
            if node is None:
                continue
            marks = node["metadata"].get("annotations") or {}
            if marks.get("etcd.k3s.cattle.io/remove") == "true":
                if len(etcd.voters()) > 1:
                    etcd.remove(member["name"])
                    self.kube.patch(nodes, "", member["node"], {"metadata": {"annotations": {
                        "etcd.k3s.cattle.io/remove": None, "etcd.k3s.cattle.io/removed-node-name": member["name"]}}})
                else:
                    self.kube.patch(nodes, "", member["node"], {"metadata": {"annotations": {"etcd.k3s.cattle.io/remove": None}}})
                continue
            notes = {"etcd.k3s.cattle.io/node-name": member["name"], "etcd.k3s.cattle.io/node-address": member["address"].rsplit(":", 1)[0]}
            if any(marks.get(key) != note for key, note in notes.items()):
                self.kube.patch(nodes, "", member["node"], {"metadata": {"annotations": notes}})
            if not due:
                continue
            voter = not member["learner"]
            wanted = condition("EtcdIsVoter", "True" if voter else "False", "MemberNotLearner" if voter else "MemberIsLearner",
                               "Node is a voting member of the etcd cluster" if voter else "Node is a learner of the etcd cluster")
            have = {c["type"]: c["status"] for c in node.get("status", {}).get("conditions", [])}
            if have.get("EtcdIsVoter") != wanted["status"]:
                self.kube.patch(nodes, "", member["node"], {"status": {"conditions": [wanted]}}, "strategic")

    def _left_behind(self, resource, node: dict) -> bool:
        """
        Whether a Node stays for a while: that of the leader, who takes itself out of etcd and then can write nothing any more.
        Its Node waits for the next leader.
        """
        if resource.kind != "Node" or self.server.etcd is None:
            return False
        name = node["metadata"]["name"]
        if self.leadership.holder(ETCD) != name:
            return False
        self._leave_etcd(name)
        return not any(member["node"] == name for member in self.server.etcd.members())

    def _leave_etcd(self, name: str) -> None:
        etcd = self.server.etcd
        member = next((m for m in etcd.members() if m["node"] == name), None) if etcd else None
        if member and (member["learner"] or len(etcd.voters()) > 1):
            etcd.remove(member["name"])

    def _deleted(self, resource, gone: dict) -> None:
        """A Node takes its password Secret, its Lease, its pods and its etcd member along."""
        if resource.kind != "Node":
            return
        name = gone["metadata"]["name"]
        for kind, space, what in (("v1/Secret", "kube-system", f"{name}.node-password.k3s"),
                                  ("coordination.k8s.io/v1/Lease", "kube-node-lease", name)):
            row = self.kube.resource(kind.rpartition("/")[0], kind.rpartition("/")[2])
            if self.kube.find(row, space, what):
                self.kube.delete(row, space, what)
        pods = self.kube.resource("v1", "Pod")
        for pod in self.kube.list(pods, field=f"spec.nodeName={name}"):
            self.kube.delete(pods, pod["metadata"]["namespace"], pod["metadata"]["name"])
        self._leave_etcd(name)

    # -- evictions ------------------------------------------------------------------------------------------------

    def evict(self, namespace: str, name: str) -> None:
        """Delete a pod unless a PodDisruptionBudget forbids that now."""
        pods = self.kube.resource("v1", "Pod")
        pod = self.kube.get(pods, namespace, name)
        everyone = self.kube.list(pods, namespace)
        budgets = [b for version in ("policy/v1", "policy/v1beta1")
                   for b in self.kube.list(self.kube.resource(version, "PodDisruptionBudget"), namespace)]
        for budget in budgets:
            labels = (budget["spec"].get("selector") or {}).get("matchLabels") or {}
            label = ",".join(f"{key}={value}" for key, value in labels.items())
            if not selected(pod, label, ""):
                continue
            matching = [one for one in everyone if selected(one, label, "")]
            healthy = sum(1 for one in matching if one.get("status", {}).get("phase") == "Running")
            floor = _count(budget["spec"].get("minAvailable"), len(matching), 0)
            if "maxUnavailable" in budget["spec"]:
                floor = len(matching) - _count(budget["spec"]["maxUnavailable"], len(matching), 0)
            if healthy - 1 < floor:
                raise ApiError(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.")
        self.kube.delete(pods, namespace, name)


def _pod_cidrs(networks: list):
    """What nodes get, one after the other: a /24 or a /64 of each network."""
    ranges = [ipaddress.ip_network(network, strict=False) for network in networks]
    sizes = [max(one.prefixlen, 64 if one.version == 6 else 24) for one in ranges]
    return zip(*(map(str, itertools.islice(one.subnets(new_prefix=size), 256)) for one, size in zip(ranges, sizes)))


def _count(value, total: int, default: int) -> int:
    if value is None:
        return default
    text = str(value)
    return -(-total * int(text[:-1]) // 100) if text.endswith("%") else int(text)
