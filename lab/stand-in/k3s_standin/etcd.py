"""A replicated datastore with etcd's rules of membership: learners, one at a time; quorum; removal; a leader that orders writes.

It is not Raft. The live voter that joined first leads; a write is committed when a majority of the voters has it. That is
enough to show what airlift must handle: no quorum, no API; a member that is gone; a learner that is not promoted yet.
"""
import threading
import time

from . import env, http_client, log, version
from .store import Conflict, Store

PREFIX = "/standin/members/"
REMOVED = "/standin/removed/"
#: etcd's own storage version: k3s 1.34 brought 3.6. It rises when the last member is there, and never falls.
STORAGE = "/standin/etcd-storage-version"
#: How long a member that does not answer counts as there; one that refuses connections is gone at once.
ALIVE_SECONDS = 5.0


class NoQuorum(Exception):
    """The write could not reach a majority."""


class Etcd:
    """One member. `me` is its name, such as bare1-0a1b2c3d."""

    def __init__(self, store: Store, me: str, ca: str, key: str):
        self.store = store
        self.me = me
        self.tls = http_client.context(ca)
        self.key = key
        self.seen = {}
        self.minors = {me: version.minor()}
        self.write_lock = threading.Lock()
        self.removed = threading.Event()
        self.stopping = threading.Event()

    # -- who is there ---------------------------------------------------------------------------------------------

    def members(self) -> list:
        """Members in the order in which they joined."""
        return sorted((value for _, value, _ in self.store.list(PREFIX)), key=lambda member: member["order"])

    def member(self, name: str):
        return next((member for member in self.members() if member["name"] == name), None)

    def alive(self, member: dict) -> bool:
        if member["name"] == self.me:
            return True
        return time.monotonic() - self.seen.get(member["name"], (0, -99))[1] < ALIVE_SECONDS

    def voters(self) -> list:
        return [member for member in self.members() if not member["learner"]]

    def quorum(self) -> bool:
        """Whether a majority of the voters answers, and this member may serve."""
        mine = self.member(self.me)
        if mine is None or mine["learner"] or self.removed.is_set():
            return False
        voters = self.voters()
        return sum(1 for voter in voters if self.alive(voter)) * 2 > len(voters)

    def leader(self):
        return next((voter for voter in self.voters() if self.alive(voter)), None)

    def behind(self) -> bool:
        """Whether some live voter has a newer revision than this member."""
        return any(self.seen[v["name"]][0] > self.store.revision
                   for v in self.voters() if v["name"] != self.me and self.alive(v) and v["name"] in self.seen)

    # -- talking to the others ------------------------------------------------------------------------------------

    def call(self, member: dict, path: str, body=None, timeout: float = 3):
        url = f"https://{member['address']}/v1-standin/etcd/{path}"
        return http_client.request_json("POST", url, self.tls, body=body or {}, timeout=timeout, keep=True,
                                        headers={"X-Standin-Cluster": self.key, "X-Standin-Member": self.me})

    def _probe(self, member: dict) -> None:
        try:
            found = self.call(member, "status", timeout=3)
        except TimeoutError:
            return  # slow is not gone yet: several nodes share a busy machine in tests
        except (OSError, http_client.HttpError, ValueError):
            self.seen.pop(member["name"], None)
            return
        if self.me in found["removed"]:
            self.removed.set()
        self.seen[member["name"]] = (found["revision"], time.monotonic())
        self.minors[member["name"]] = found["minor"]

    def status(self) -> dict:
        return {"name": self.me, "revision": self.store.revision, "minor": version.minor(),
                "removed": [key[len(REMOVED):] for key, _, _ in self.store.list(REMOVED)]}

    def tick(self) -> None:
        """Look at the others, take what is missing, promote a learner; called about three times a second."""
        others = [member for member in self.members() if member["name"] != self.me]
        threads = [threading.Thread(target=self._probe, args=(member,), daemon=True) for member in others]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(3)
        if self.store.get(PREFIX + self.me)[1] == 0 and self.store.get(REMOVED + self.me)[1]:
            self.removed.set()
        if self.removed.is_set():
            return
        newest = max(((self.seen[m["name"]][0], m["name"]) for m in others if m["name"] in self.seen), default=(0, ""))
        if newest[0] > self.store.revision:
            self._pull(self.member(newest[1]))
        leader = self.leader()
        if leader and leader["name"] == self.me and self.quorum():
            self._manage_learners()
            self._raise_storage()

    def storage(self) -> str:
        """3.5 or 3.6."""
        value, revision = self.store.get(STORAGE)
        return value["version"] if revision else "3.5"

    def _raise_storage(self) -> None:
        if self.storage() == "3.5" and all(self.minors.get(member["name"], 0) >= 34 for member in self.members()):
            self._try(lambda: self.propose([{"key": STORAGE, "value": {"version": "3.6"}}]))
            log.info("updated cluster version from 3.5 to 3.6")

    def _pull(self, member) -> None:
        if member is None:
            return
        try:
            found = self.call(member, "since", {"revision": self.store.revision}, timeout=10)
        except (OSError, http_client.HttpError):
            return
        with self.write_lock:
            if found.get("dump"):
                self.store.load(found["dump"])
            else:
                self.store.apply(found["entries"])

    def since(self, revision: int) -> dict:
        changes = self.store.since(revision)
        if changes is None:
            return {"dump": self.store.dump()}
        return {"entries": [{"revision": r, "key": k, "value": v} for r, k, v, _ in changes]}

    def _manage_learners(self) -> None:
        for member in self.members():
            if not member["learner"]:
                continue
            waited = time.time() - member["added"]
            if waited > 300:
                log.warn(f"Learner {member['name']} stalled for too long, removing it from the cluster")
                self._try(lambda name=member["name"]: self.remove(name))
            elif self.in_sync(member) and waited >= env.seconds("promote_ms"):
                self._try(lambda name=member["name"]: self.promote(name))

    @staticmethod
    def _try(action) -> None:
        try:
            action()
        except (NoQuorum, Conflict) as failure:
            log.warn(f"etcd membership change failed: {failure}")

    def in_sync(self, member: dict) -> bool:
        return self.alive(member) and self.seen.get(member["name"], (0, 0))[0] >= self.store.revision - 5

    # -- membership -----------------------------------------------------------------------------------------------

    def add(self, name: str, node: str, address: str) -> None:
        """Add a learner; ValueError with etcd's or k3s' words when that is not allowed now. Adding oneself again is fine."""
        for member in self.members():
            if member["name"] == name and member["address"] == address:
                return
            if member["node"] == node:
                raise ValueError("duplicate node name found, please use a unique name for this node")
        if any(member["learner"] for member in self.members()):
            raise ValueError("etcdserver: too many learner members in cluster")
        if not all(self.alive(voter) for voter in self.voters()):
            raise ValueError("etcdserver: unhealthy cluster")
        order = max((member["order"] for member in self.members()), default=0) + 1
        self.propose([{"key": PREFIX + name, "expect": 0, "value": {
            "name": name, "node": node, "address": address, "learner": True, "order": order, "added": time.time()}}])
        log.info(f"Adding member {name}=https://{address} to etcd cluster as learner")

    def promote(self, name: str) -> None:
        member, revision = self.store.get(PREFIX + name)
        if revision and member["learner"]:
            self.propose([{"key": PREFIX + name, "value": {**member, "learner": False}, "expect": revision}])
            log.info(f"Promoted learner {name} to etcd cluster member")

    def remove(self, name: str) -> None:
        self.propose([{"key": PREFIX + name, "value": None}, {"key": REMOVED + name, "value": {"at": time.time()}}])
        log.info(f"Removed etcd member {name}")

    # -- writes ---------------------------------------------------------------------------------------------------

    def propose(self, operations: list, wait: float = 6) -> int:
        """Commit operations; NoQuorum when no majority takes them, Conflict when an expectation fails."""
        end = time.monotonic() + wait
        while True:
            leader = self.leader()
            if self.quorum() and leader:
                try:
                    return self._lead(operations) if leader["name"] == self.me else self._forward(leader, operations)
                except (OSError, NoQuorum) as failure:
                    log.warn(f"etcd write failed, will retry: {failure}")
            if time.monotonic() > end or not self.quorum():
                raise NoQuorum("etcdserver: request timed out")
            time.sleep(0.15)

    def _forward(self, leader: dict, operations: list) -> int:
        try:
            found = self.call(leader, "propose", {"operations": operations}, timeout=5)
        except OSError:
            self.seen.pop(leader["name"], None)
            raise
        except http_client.HttpError as failure:
            raise NoQuorum(failure.message()) from None
        if found.get("conflict"):
            raise Conflict(found["conflict"], found["key"])
        if not self.store.wait(found["revision"], 1):
            self._pull(leader)
        return found["revision"]

    def accept(self, operations: list) -> dict:
        """A write that another member forwards to this leader."""
        try:
            return {"revision": self._lead(operations)}
        except Conflict as conflict:
            return {"conflict": conflict.kind, "key": conflict.key}

    def _lead(self, operations: list) -> int:
        with self.write_lock:
            leader = self.leader()
            if leader is None or leader["name"] != self.me or self.behind():
                raise NoQuorum("etcdserver: leader changed")
            self.store.check(operations)
            entries = self.store.number(operations)
            voters = self.voters()
            acknowledged = 1
            for voter in voters:
                if voter["name"] != self.me and self.alive(voter) and self._push(voter, entries):
                    acknowledged += 1
            if acknowledged * 2 <= len(voters):
                raise NoQuorum("etcdserver: request timed out")
            self.store.apply(entries)
            return self.store.revision

    def _push(self, voter: dict, entries: list) -> bool:
        try:
            found = self.call(voter, "append", {"before": self.store.revision, "entries": entries}, timeout=3)
            if not found["taken"]:
                found = self.call(voter, "append", {"dump": self.store.dump(), "entries": entries}, timeout=10)
        except (OSError, http_client.HttpError):
            self.seen.pop(voter["name"], None)
            return False
        self.seen[voter["name"]] = (entries[-1]["revision"], time.monotonic())
        return found["taken"]

    def append(self, body: dict) -> dict:
        """Entries from the leader; refused when they do not follow what is here, so that the leader sends everything."""
        if body.get("dump"):
            self.store.load(body["dump"])
        elif self.store.revision != body["before"]:
            return {"taken": False}
        self.store.apply(body["entries"])
        return {"taken": True}

    def run(self) -> None:
        """Tick until stopped."""
        while not self.stopping.wait(0.3):
            try:
                self.tick()
            except Exception as failure:  # a tick that fails must not end membership
                log.error(f"etcd tick failed: {failure!r}")
