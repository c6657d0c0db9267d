"""The datastore of one server: keys with JSON values and revisions, in SQLite, with the recent changes kept for watchers."""
import collections
import json
import os
import threading


class Conflict(Exception):
    """A compare-and-swap whose expectation did not hold. `kind` is exists, missing or modified."""

    def __init__(self, kind: str, key: str):
        self.kind, self.key = kind, key
        super().__init__(f"{kind}: {key}")


class Store:
    """All keys are in memory; SQLite is what survives."""

    def __init__(self, path: str):
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        self.lock = threading.Condition(threading.RLock())
        # What only serves is imported where it does: `k3s kubectl` starts again and again.
        import sqlite3
        self.db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self.db.execute("pragma journal_mode=wal")
        self.db.execute("pragma synchronous=off")
        self.db.execute("create table if not exists kine (name text primary key, value text, created int, revision int)")
        self.db.execute("create table if not exists meta (name text primary key, value int)")
        self.data = {row[0]: (json.loads(row[1]), row[2], row[3])
                     for row in self.db.execute("select name, value, created, revision from kine")}
        row = self.db.execute("select value from meta where name = 'revision'").fetchone()
        self.revision = row[0] if row else 0
        self.recent = collections.deque(maxlen=5000)

    def get(self, key: str):
        """(value, revision), or (None, 0)."""
        with self.lock:
            found = self.data.get(key)
            return (found[0], found[2]) if found else (None, 0)

    def list(self, prefix: str) -> list:
        """(key, value, revision) below a prefix, sorted by key."""
        with self.lock:
            return [(key, self.data[key][0], self.data[key][2]) for key in sorted(self.data) if key.startswith(prefix)]

    def check(self, operations: list) -> None:
        """Raise Conflict unless every expectation holds: None any, 0 absent, -1 present, else that revision."""
        for operation in operations:
            expect = operation.get("expect")
            if expect is None:
                continue
            _, revision = self.get(operation["key"])
            if expect == 0 and revision:
                raise Conflict("exists", operation["key"])
            if expect != 0 and not revision:
                raise Conflict("missing", operation["key"])
            if expect > 0 and expect != revision:
                raise Conflict("modified", operation["key"])

    def apply(self, entries: list) -> None:
        """Write entries {revision, key, value}; a value of None deletes. Entries at or below the revision are skipped."""
        with self.lock:
            self.db.execute("begin")
            for entry in entries:
                if entry["revision"] <= self.revision:
                    continue
                self.revision = entry["revision"]
                key, value = entry["key"], entry["value"]
                before = self.data.get(key)
                if value is None:
                    self.data.pop(key, None)
                    self.db.execute("delete from kine where name = ?", (key,))
                else:
                    created = before[1] if before else self.revision
                    self.data[key] = (value, created, self.revision)
                    self.db.execute("insert or replace into kine values (?,?,?,?)",
                                    (key, json.dumps(value), created, self.revision))
                self.recent.append((self.revision, key, value, before[0] if before else None))
            self.db.execute("insert or replace into meta values ('revision', ?)", (self.revision,))
            self.db.execute("commit")
            self.lock.notify_all()

    def propose(self, operations: list, wait: float = 5) -> int:
        """Check and write in one step; gives the revision. A replicated datastore overrides this path."""
        with self.lock:
            self.check(operations)
            entries = self.number(operations)
            self.apply(entries)
            return self.revision

    def number(self, operations: list) -> list:
        """Operations as entries with the next revisions."""
        return [{"revision": self.revision + index + 1, "key": operation["key"], "value": operation["value"]}
                for index, operation in enumerate(operations)]

    def since(self, revision: int):
        """Changes after a revision, or None when they are no longer kept."""
        with self.lock:
            if revision > self.revision:
                return None
            if revision < self.revision and (not self.recent or self.recent[0][0] > revision + 1):
                return None
            return [change for change in self.recent if change[0] > revision]

    def dump(self) -> dict:
        """Everything, for a snapshot or a member that lags."""
        with self.lock:
            return {"revision": self.revision, "data": {key: list(value) for key, value in self.data.items()}}

    def load(self, dump: dict) -> None:
        """Replace everything by a dump."""
        with self.lock:
            self.db.execute("begin")
            self.db.execute("delete from kine")
            self.data = {key: (value[0], value[1], value[2]) for key, value in dump["data"].items()}
            self.db.executemany("insert into kine values (?,?,?,?)",
                                [(key, json.dumps(v[0]), v[1], v[2]) for key, v in self.data.items()])
            self.revision = dump["revision"]
            self.db.execute("insert or replace into meta values ('revision', ?)", (self.revision,))
            self.db.execute("commit")
            self.recent.clear()
            self.lock.notify_all()

    def wait(self, revision: int, seconds: float) -> bool:
        """Until the revision is reached; False when the time is over."""
        with self.lock:
            return self.lock.wait_for(lambda: self.revision >= revision, seconds)
