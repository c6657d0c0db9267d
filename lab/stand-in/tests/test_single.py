"""One server and agents: configuration, tokens, node passwords, images, kubectl."""
import hashlib
import io
import json
import os
import pathlib
import shutil
import socket
import ssl
import stat
import tarfile
import tempfile
import time
import unittest
import urllib.error
import urllib.request

from harness import Case, tearDownModule  # noqa: F401 (unittest calls it)


class Single(Case):
    def server(self, config: str = "token: secret\n", **rest):
        node = self.node("m1", config=config, **rest).start()
        self.ready(node, "m1")
        return node

    def fetch(self, node, path: str) -> tuple:
        context = ssl._create_unverified_context()
        try:
            with urllib.request.urlopen(node.url + path, context=context, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as failure:
            return failure.code, failure.read().decode()

    def test_endpoints_files_and_addons(self):
        node = self.server("token: secret\ndisable:\n  - traefik\nwrite-kubeconfig-mode: \"0640\"\nunknown-thing: 1\n")
        self.assertEqual(self.fetch(node, "/ping"), (200, "pong"))
        self.assertIn("BEGIN CERTIFICATE", self.fetch(node, "/cacerts")[1])
        self.assertEqual(self.fetch(node, "/readyz")[0], 401)
        self.assertEqual(node.kubectl("get", "--raw", "/readyz"), "ok")
        self.assertIn("Unknown flag --unknown-thing found in config.yaml, skipping", node.log())
        self.assertRegex(node.token(), r"^K10[0-9a-f]{64}::server:secret$")
        self.assertEqual(stat.S_IMODE(os.stat(node.root / "etc/rancher/k3s/k3s.yaml").st_mode), 0o640)
        self.assertTrue((node.data / "server/db/state.db").exists())
        self.until(lambda: node.kubectl("get", "deploy", "-n", "kube-system", "-o", "name").split() == [
            "deployment.apps/coredns", "deployment.apps/local-path-provisioner", "deployment.apps/metrics-server"])
        self.until(lambda: "condition met" in node.kubectl("wait", "deploy/coredns", "-n", "kube-system", "--for=condition=Available"))
        labels = json.loads(node.kubectl("get", "node", "m1", "-o", "json"))["metadata"]["labels"]
        self.assertIn("node-role.kubernetes.io/master", labels)
        self.assertNotIn("node-role.kubernetes.io/etcd", labels)

    def test_parts_that_log_in_different_ways(self):
        node = self.node("m1", config="token: secret\nkubelet-arg: [v=2]\n").start()
        self.until(lambda: "logging configuration should not be changed" in node.log())
        self.server("token: secret\nv: 2\nkubelet-arg: [v=2]\n")

    def test_both_families(self):
        networks = "cluster-cidr:\n  - 10.42.0.0/16\n  - fd00:42::/56\nservice-cidr: 10.43.0.0/16,fd00:43::/112\n"
        node = self.server(f"token: secret\nnode-ip: 127.0.0.1,::1\n{networks}")
        self.until(lambda: json.loads(node.kubectl("get", "node", "m1", "-o", "json"))["spec"].get("podCIDRs") == [
            "10.42.0.0/24", "fd00:42::/64"])
        found = json.loads(node.kubectl("get", "node", "m1", "-o", "json"))["status"]["addresses"]
        self.assertEqual([one["address"] for one in found if one["type"] == "InternalIP"], ["127.0.0.1", "::1"])
        with socket.create_connection(("::1", node.port), timeout=5):
            pass
        for config in (networks, "service-cidr: 10.43.0.0/16,fd00:43::/112\n"):
            wrong = self.node("m2", config=f"token: secret\n{config}").start()
            self.until(lambda wrong=wrong: "must share the same IP version (IPv4, IPv6 or dual-stack)" in wrong.log())

    def test_version_names_itself_and_unpacking(self):
        node = self.node("m1")
        self.assertIn("v1.33.1+k3s1 (stand-in)", node.k3s("--version").stdout)
        self.assertFalse((node.data / "data").exists())
        self.assertEqual(node.k3s("kubectl", "version", "--client").returncode, 0)
        self.assertTrue((node.data / "data/current/bin/containerd-shim-runc-v2").exists())
        self.assertNotEqual(node.k3s("kubectl", "get", "nodes").returncode, 0)
        self.assertNotEqual(node.k3s("ctr", "images", "ls").returncode, 0)

    def test_octal_mode_trap(self):
        node = self.server("token: secret\nwrite-kubeconfig-mode: 0644\n")
        self.assertEqual(stat.S_IMODE(os.stat(node.root / "etc/rancher/k3s/k3s.yaml").st_mode), 0o420)

    def test_agent_joins_with_labels_and_comes_back(self):
        server = self.server()
        agent = self.node("w1", "agent", f"token: {server.token()}\nserver: {server.url}\nnode-label: [a=b]\nnode-taint: ['k=v:NoSchedule']\n").start()
        self.ready(server, "w1")
        node = json.loads(server.kubectl("get", "node", "w1", "-o", "json"))
        self.assertEqual(node["metadata"]["labels"]["a"], "b")
        self.assertEqual(node["spec"]["taints"][0], {"key": "k", "value": "v", "effect": "NoSchedule"})
        self.assertEqual(node["status"]["nodeInfo"]["kubeletVersion"], "v1.33.1+k3s1")
        kubelet = ("--kubeconfig", str(agent.data / "agent/kubelet.kubeconfig"))
        self.assertEqual(agent.kubectl(*kubelet, "get", "node", "w1", "-o", "name"), "node/w1\n")
        self.assertIn("Forbidden", agent.kubectl(*kubelet, "get", "node", "m1"))
        self.assertIn("Forbidden", agent.kubectl(*kubelet, "delete", "node", "w1"))
        agent.stop()
        self.until(lambda: '"Unknown"' in server.kubectl("get", "node", "w1", "-o", "json"))
        agent.start()
        self.ready(server, "w1")
        self.until(lambda: "unreachable" not in server.kubectl("get", "node", "w1", "-o", "json"))

    def test_wrong_tokens(self):
        server = self.server("token: secret\nagent-token: only-agents\n")
        wrong = self.node("w1", "agent", f"token: wrong\nserver: {server.url}\n").start()
        self.says(wrong, "level=info msg=\"Waiting to retrieve agent configuration; server is not ready")
        self.assertIn("not authorized", wrong.log())
        hashed = self.node("w2", "agent", f"token: K10{'0' * 64}::server:secret\nserver: {server.url}\n").start()
        self.says(hashed, "token CA hash does not match the Cluster CA certificate hash")
        short = self.node("w3", "agent", f"token: K10abc::server:secret\nserver: {server.url}\n").start()
        self.says(short, "invalid token CA hash length")
        self.assertTrue(all(node.process.poll() is None for node in (wrong, hashed, short)))
        good = self.node("w4", "agent", f"token: only-agents\nserver: {server.url}\n").start()
        self.ready(server, "w4")
        created = server.k3s("token", "create").stdout.strip()
        self.assertRegex(created, r"^K10[0-9a-f]{64}::[a-z0-9]{6}\.[a-z0-9]{16}$")
        good.stop()
        self.node("w5", "agent", f"token: {created}\nserver: {server.url}\n").start()
        self.ready(server, "w5")

    def test_agent_refuses(self):
        for config, text in (("server: https://127.0.0.1:1\n", "--token is required"), ("token: x\n", "--server is required"),
                             ("token: x\nserver: https://127.0.0.1:1\ndisable: [traefik]\n", "flag provided but not defined: -disable")):
            self.dies(self.node("w1", "agent", config).start(), text)

    def test_node_password(self):
        server = self.server()
        config = f"token: secret\nserver: {server.url}\n"
        first = self.node("w1", "agent", config).start()
        self.ready(server, "w1")
        first.stop()
        second = self.node("w1", "agent", config).start()
        self.says(second, "Node password rejected, duplicate hostname or contents of '/etc/rancher/node/password' may not match")
        self.assertIn("deleted", server.kubectl("delete", "node", "w1"))
        # The waiting machine asks again, finds no password on record, and is taken.
        self.says(second, "agent is up and running")
        self.ready(server, "w1")

    def test_images(self):
        node = self.server()
        self.assertIn("docker.io/rancher/mirrored-pause:3.6\n", node.k3s("ctr", "-n", "k8s.io", "images", "ls", "-q").stdout)
        directory = node.data / "agent/images"
        (directory / "broken.tar").write_text("no tar")
        self.says(node, f"Failed to process image event: failed to import {directory}/broken.tar")
        node.k3s("ctr", "images", "rm", "docker.io/rancher/pause:3.6")
        shutil.copy(directory / "k3s-airgap-images-amd64.tar", directory / "again.part")
        time.sleep(1)
        self.assertNotIn("rancher/pause:3.6", node.k3s("ctr", "images", "ls", "-q").stdout)
        os.rename(directory / "again.part", directory / "again.tar")
        self.until(lambda: "docker.io/rancher/pause:3.6" in node.k3s("ctr", "images", "ls", "-q").stdout)
        self.assertNotEqual(node.k3s("crictl", "pull", "busybox").returncode, 0)
        self.assertIn("pinned", node.k3s("crictl", "images", "-o", "json").stdout)

    def test_partial_archives(self):
        """What containerd has may be left out of an OCI archive; what is nowhere leaves the image incomplete."""
        node = self.server()
        ctr = lambda *args, data=None: node.k3s("ctr", "-n", "k8s.io", *args, data=data)
        self.assertIn("not defined", ctr("images", "import", "--nonsense", "-").stderr)
        base, top = b"b" * 700, b"t" * 900
        whole = self.oci("docker.io/library/a:1", [base])
        self.assertEqual(ctr("images", "import", str(whole)).returncode, 0)
        part = self.oci("docker.io/library/b:1", [base, top], leave_out=[base])
        self.assertEqual(ctr("images", "import", "--local", str(part)).returncode, 0)
        rows = {line.split()[0]: line for line in ctr("images", "check").stdout.splitlines()}
        self.assertRegex(rows["docker.io/library/b:1"], r" complete \(4/4\) .* true$")
        held = ctr("content", "ls", "-q").stdout.split()
        self.assertIn("sha256:" + hashlib.sha256(base).hexdigest(), held)
        broken = self.oci("docker.io/library/c:1", [b"nowhere"], leave_out=[b"nowhere"])
        self.assertIn("not found", ctr("images", "import", "--local", str(broken)).stderr)
        self.assertRegex(ctr("images", "check").stdout, r"docker.io/library/c:1 .* incomplete \(2/3\) .* false\n")
        self.assertEqual(ctr("images", "tag", "docker.io/library/a:1", "docker.io/library/a:2").returncode, 0)
        self.assertNotEqual(ctr("images", "tag", "docker.io/library/b:1", "docker.io/library/a:2").returncode, 0)
        listed = json.loads(node.k3s("crictl", "images", "-o", "json").stdout)["images"]
        self.assertIn(["docker.io/library/a:1", "docker.io/library/a:2"], [sorted(one["repoTags"]) for one in listed])
        # The CRI keeps an image under its id until it is told itself.
        ctr("images", "rm", "docker.io/library/b:1")
        self.assertIn("sha256:" + hashlib.sha256(top).hexdigest(), ctr("content", "ls", "-q").stdout)

    def oci(self, name: str, layers: list, leave_out: list = ()) -> pathlib.Path:
        """An OCI archive of one image, some layers left out."""
        path = pathlib.Path(tempfile.mkdtemp(prefix="standin-oci-")) / "image.tar"
        self.addCleanup(shutil.rmtree, path.parent)

        def blob(data: bytes, kind: str) -> dict:
            return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": "sha256:" + hashlib.sha256(data).hexdigest(), "size": len(data)}

        config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"diff_ids": [hashlib.sha256(one).hexdigest() for one in layers]}}).encode()
        manifest = json.dumps({"config": blob(config, "config.v1+json"), "layers": [blob(one, "layer.v1.tar") for one in layers]}).encode()
        index = {"manifests": [{**blob(manifest, "manifest.v1+json"), "annotations": {"io.containerd.image.name": name}}]}
        with tarfile.open(path, "w") as tar:
            for data in [config, manifest, *[one for one in layers if one not in leave_out]]:
                self.member(tar, "blobs/sha256/" + hashlib.sha256(data).hexdigest(), data)
            self.member(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
            self.member(tar, "index.json", json.dumps(index).encode())
        return path

    def member(self, tar: tarfile.TarFile, name: str, data: bytes) -> None:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))

    def test_pod_without_image_does_not_run(self):
        node = self.server("token: secret\n", images=False)
        self.until(lambda: "ContainerCreating" in node.kubectl("get", "pods", "-A"))

    def test_manifests_and_apply(self):
        node = self.server()
        (node.data / "server/manifests/mine.yaml").write_text(
            "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: mine\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n"
            "  name: c\n  namespace: mine\ndata:\n  text: |\n    a\n    b\n")
        self.until(lambda: node.kubectl("get", "cm", "c", "-n", "mine", "-o", "jsonpath={.data.text}") == "a\nb\n")
        manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: d\ndata:\n  k: v\n"
        self.assertEqual(node.kubectl("apply", "-f", "-", data=manifest), "configmap/d created\n")
        self.assertIn("configured", node.kubectl("apply", "-f", "-", data=manifest.replace("k: v", "k: w")))
        self.assertIn("AlreadyExists", node.kubectl("create", "-f", "-", data=manifest))

    def test_drain_honours_budgets(self):
        server = self.server("token: secret\ndisable: [coredns, traefik, metrics-server, local-storage]\n")
        server.kubectl("create", "-f", "-", data=json.dumps({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
                "replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": {
                    "metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "rancher/pause:3.6"}]}}}}))
        server.kubectl("create", "-f", "-", data=json.dumps({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}}))
        self.until(lambda: "Running" in server.kubectl("get", "pods"))
        said = server.k3s("kubectl", "drain", "m1", "--ignore-daemonsets", "--timeout=1s")
        self.assertNotEqual(said.returncode, 0)
        self.assertIn("violate the pod's disruption budget", server.kubectl("drain", "m1", "--ignore-daemonsets", "--timeout=6s"))
        server.kubectl("delete", "pdb", "web")
        self.assertIn("node/m1 drained", server.kubectl("drain", "m1", "--ignore-daemonsets", "--timeout=9s"))
        self.assertIn("SchedulingDisabled", server.kubectl("get", "nodes"))
        self.assertIn("uncordoned", server.kubectl("uncordon", "m1"))

    def test_restart_with_another_token(self):
        node = self.server()
        node.stop()
        node.configure("token: other\n")
        self.dies(node.start(), "bootstrap data already found and encrypted with different token")

    def test_port_taken(self):
        first = self.server()
        second = self.node("m2")
        second.port = first.port
        second.configure("token: secret\n")
        self.dies(second.start(), "bind: address already in use")

    def test_skew_and_cgroups(self):
        server = self.server()
        newer = self.node("w1", "agent", f"token: secret\nserver: {server.url}\n", version="v1.34.2+k3s1").start()
        self.says(newer, "is newer than server version")
        refused = self.node("w2", "agent", f"token: secret\nserver: {server.url}\n", version="v1.35.0+k3s1")
        self.dies(refused.start(AIRLIFT_STANDIN_CGROUP="v1"), "cgroup v1")

    def test_faults(self):
        node = self.node("m1", crash_at="boot", crash_once=True).start()
        self.dies(node, "crash injected at boot")
        node.start()
        self.ready(node, "m1")
        slow = self.node("w1", "agent", f"token: secret\nserver: {node.url}\n", ready=False).start()
        self.says(slow, "agent is up and running")
        time.sleep(1)
        self.assertIn("w1     NotReady", node.kubectl("get", "nodes"))


if __name__ == "__main__":
    unittest.main()
