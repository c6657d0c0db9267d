"""Several servers: joining, quorum, removal, snapshots, and what k3s refuses."""
import json
import time
import unittest

from harness import Case, free_port, tearDownModule  # noqa: F401 (unittest calls it)

TOKEN = "token: secret\n"
VOTERS = '{range .items[*]}{.metadata.name}={.status.conditions[?(@.type=="EtcdIsVoter")].status} {end}'


class Etcd(Case):
    def first(self, config: str = TOKEN, **rest):
        node = self.node("m1", config=config + "cluster-init: true\n", **rest).start()
        self.ready(node, "m1")
        return node

    def joiner(self, name: str, to, config: str = TOKEN, **rest):
        return self.node(name, config=config + f"server: {to.url}\n", **rest)

    def voters(self, on, *names: str) -> None:
        self.until(lambda: all(f"{name}=True" in on.kubectl("get", "nodes", "-o", f"jsonpath={VOTERS}").split() for name in names))

    def healthy(self, node) -> bool:
        return node.kubectl("get", "--raw", "/readyz") == "ok"

    def test_three_masters_started_together(self):
        m1 = self.first()
        m2, m3 = self.joiner("m2", m1, promote_ms=1500), self.joiner("m3", m1, promote_ms=1500)
        m1.set_knobs(promote_ms=1500)
        m2.start()
        m3.start()
        self.ready(m1, "m1", "m2", "m3")
        self.voters(m1, "m1", "m2", "m3")
        self.assertIn("Waiting for other members to finish joining etcd cluster", m2.log() + m3.log())
        self.assertEqual(m2.token(), m1.token())
        agent = self.node("w1", "agent", f"{TOKEN}server: {m1.url}\n").start()
        self.ready(m3, "w1")
        self.until(lambda: (agent.data / "agent/etc/k3s-agent-load-balancer.json").exists())
        # One of three may go: the others serve and the agent finds them.
        m1.stop("kill")
        self.until(lambda: self.healthy(m2))
        self.until(lambda: "created" in m3.kubectl("create", "configmap", "while-m1-is-away"))
        self.until(lambda: "m1     NotReady" in m2.kubectl("get", "nodes"))
        self.assertIn("w1     Ready", m2.kubectl("get", "nodes"))
        # Two of three may not.
        m2.stop("kill")
        self.until(lambda: not self.healthy(m3))
        self.assertIsNone(m3.process.poll())
        self.assertIn("etcdserver", m3.kubectl("get", "nodes"))
        m1.start()
        self.until(lambda: self.healthy(m3) and self.healthy(m1))
        self.assertIn("configmap", m1.kubectl("get", "cm", "while-m1-is-away", "-o", "name"))

    def test_a_learner_is_promoted_when_somebody_asks(self):
        port = free_port()
        m1 = self.first(promote_ms=600000, gateway_port=port)
        tls = m1.data / "server/tls/etcd"
        files = ["--kubeconfig", "/dev/null", "--certificate-authority", str(tls / "server-ca.crt"),
                 "--client-certificate", str(tls / "client.crt"), "--client-key", str(tls / "client.key")]

        def ask(path: str, **body) -> str:
            return m1.kubectl("create", "--raw", f"/v3/cluster/member/{path}", "--server", f"https://127.0.0.1:{port}", *files, "-f", "-",
                              data=json.dumps(body))

        self.assertIn("member not found", ask("promote", ID="1"))
        self.joiner("m2", m1).start()
        learners = self.until(lambda: [one for one in json.loads(ask("list"))["members"] if one.get("isLearner")])
        self.until(lambda: '"members"' in ask("promote", ID=learners[0]["ID"]))
        self.voters(m1, "m1", "m2")
        self.assertIn("can only promote a learner member", ask("promote", ID=learners[0]["ID"]))
        bare = m1.kubectl("create", "--raw", "/v3/cluster/member/list", "--server", f"https://127.0.0.1:{port}", *files[:4], "-f", "-", data="{}")
        self.assertIn("certificate", bare)

    def test_the_node_of_the_leader_waits_for_the_next_one(self):
        m1 = self.first(leader_ms=600000)
        m2 = self.joiner("m2", m1, leader_ms=600000).start()
        self.joiner("m3", m1, leader_ms=600000).start()
        self.ready(m1, "m1", "m2", "m3")
        self.voters(m1, "m1", "m2", "m3")
        lease = ("lease", "k3s-etcd", "-n", "kube-system")
        self.until(lambda: m2.kubectl("get", *lease, "-o", "jsonpath={.spec.holderIdentity}") == "m1")
        self.assertIn("deleted", m2.kubectl("delete", "node", "m1", "--wait=false"))
        self.until(lambda: '"m1-' not in m2.kubectl("get", "--raw", "/db/info"))
        time.sleep(1)
        self.assertIn("m1", m2.kubectl("get", "nodes"))
        m2.kubectl("patch", *lease, "--type", "merge", "-p", '{"spec":{"holderIdentity":null}}')
        self.until(lambda: "m1" not in m2.kubectl("get", "nodes"))
        # That of another master goes at once.
        holder = m2.kubectl("get", *lease, "-o", "jsonpath={.spec.holderIdentity}")
        other = "m3" if holder == "m2" else "m2"
        self.assertEqual(f'node "{other}" deleted', m2.kubectl("delete", "node", other).strip())

    def test_a_vote_is_noted_late_on_its_node(self):
        m1 = self.first(note_ms=600000)
        self.joiner("m2", m1).start()
        self.ready(m1, "m1", "m2")

        def voting() -> list:
            members = json.loads(m1.kubectl("get", "--raw", "/db/info"))["members"]
            return [one["name"] for one in members if not one.get("isLearner")]

        self.until(lambda: len(voting()) == 2)
        nodes = json.loads(m1.kubectl("get", "nodes", "-o", "json"))["items"]
        self.assertEqual({node["metadata"]["annotations"]["etcd.k3s.cattle.io/node-name"] for node in nodes}, set(voting()))
        self.assertNotIn("EtcdIsVoter", json.dumps(nodes))
        m1.set_knobs()
        self.voters(m1, "m1", "m2")

    def test_deleting_a_node_removes_the_member(self):
        m1 = self.first()
        m2 = self.joiner("m2", m1).start()
        self.voters(m1, "m1", "m2")
        self.assertIn("deleted", m1.kubectl("delete", "node", "m2"))
        tombstone = m2.data / "server/db/etcd/tombstone"
        self.until(tombstone.exists)
        self.assertIsNone(m2.process.poll())
        self.assertTrue(self.healthy(m1))
        m2.stop()
        time.sleep(0.5)
        self.assertTrue(self.healthy(m1))
        m2.configure(TOKEN)
        self.dies(m2.start(), "removed from the cluster")
        m2.configure(f"{TOKEN}server: {m1.url}\n")
        m2.start()
        self.voters(m1, "m1", "m2")
        self.assertTrue(list(m2.data.glob("server/db/etcd-backup-*")))

    def test_first_start_killed_half_way(self):
        node = self.node("m1", config=TOKEN + "cluster-init: true\n", crash_at="etcd-bootstrap").start()
        self.dies(node, "crash injected")
        node.set_knobs()
        self.dies(node.start(), "no bootstrap data found in datastore")
        import shutil
        shutil.rmtree(node.data / "server")
        node.start()
        self.ready(node, "m1")

    def test_refusals(self):
        m1 = self.first(TOKEN + "agent-token: agents\n")
        same = self.node("m1", config=f"{TOKEN}agent-token: agents\nserver: {m1.url}\n").start()
        self.dies(same, "duplicate node name found, please use a unique name for this node")
        other = self.joiner("m2", m1, TOKEN + "agent-token: agents\ncluster-cidr: 10.9.0.0/16\n").start()
        self.dies(other, "critical configuration value mismatch between servers")
        self.dies(self.joiner("m3", m1, "token: wrong\n").start(), "not authorized")
        self.dies(self.joiner("m4", m1, "token: agents\nagent-token: agents\n").start(), "not authorized")
        self.dies(self.joiner("m5", m1, "").start(), "token is required to join a cluster")

    def test_sqlite_cannot_be_joined_and_can_be_converted(self):
        m1 = self.node("m1").start()
        self.ready(m1, "m1")
        m1.kubectl("create", "configmap", "kept")
        m2 = self.joiner("m2", m1).start()
        self.says(m2, "etcd datastore disabled")
        m2.stop()
        m1.stop()
        m1.configure(TOKEN + "cluster-init: true\n")
        m1.start()
        self.ready(m1, "m1")
        self.assertIn("configmap", m1.kubectl("get", "cm", "kept", "-o", "name"))
        self.assertTrue((m1.data / "server/db/state.db.migrated").exists())
        m2.start()
        self.voters(m1, "m1", "m2")

    def test_snapshot_and_restore(self):
        m1 = self.first()
        m1.kubectl("create", "configmap", "before")
        saved = m1.k3s("etcd-snapshot", "save", "--name", "mine")
        self.assertEqual(saved.returncode, 0, saved.stderr)
        items = json.loads(m1.k3s("etcd-snapshot", "ls", "-o", "json").stdout)["items"]
        name = items[0]["spec"]["snapshotName"]
        self.assertTrue(name.startswith("mine-m1-"))
        m1.kubectl("create", "configmap", "after")
        m1.stop()
        m1.start("--cluster-reset", f"--cluster-reset-restore-path={name}")
        self.until(lambda: m1.process.poll() is not None)
        self.assertEqual(m1.process.returncode, 0)
        self.assertIn("restart without --cluster-reset flag now", m1.log())
        m1.start("--cluster-reset")
        self.dies(m1, "previously reset")
        m1.start()
        self.ready(m1, "m1")
        self.assertIn("configmap", m1.kubectl("get", "cm", "before", "-o", "name"))
        self.assertIn("NotFound", m1.kubectl("get", "cm", "after"))
        sqlite = self.node("m9").start()
        self.ready(sqlite, "m9")
        self.assertIn("etcd datastore disabled", sqlite.k3s("etcd-snapshot", "save").stderr)

    def test_token_rotation(self):
        m1 = self.first()
        self.assertEqual(m1.k3s("token", "rotate", "--token", "secret", "--new-token", "fresh").returncode, 0)
        self.assertTrue(m1.token().endswith("::server:fresh"))
        m1.stop()
        self.dies(m1.start(), "encrypted with different token")
        m1.configure("token: fresh\ncluster-init: true\n")
        m1.start()
        self.ready(m1, "m1")

    def test_upgrade_keeps_the_cluster_and_a_downgrade_is_refused(self):
        m1 = self.first()
        old = m1.release
        m1.stop()
        from harness import build
        m1.release = build("v1.34.2+k3s1")
        m1.start()
        self.until(lambda: "v1.34.2+k3s1" in m1.kubectl("get", "nodes"))
        self.says(m1, "updated cluster version from 3.5 to 3.6")
        m1.stop()
        m1.release = old
        self.dies(m1.start(), "invalid downgrade")

    def test_certificates(self):
        m1 = self.first()
        self.assertIn("certificate CN=", m1.k3s("certificate", "check").stderr)
        m1.stop()
        self.assertEqual(m1.k3s("certificate", "rotate").returncode, 0)
        m1.start()
        self.ready(m1, "m1")


if __name__ == "__main__":
    unittest.main()
