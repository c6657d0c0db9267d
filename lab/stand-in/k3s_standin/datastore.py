"""Choosing and starting the datastore of a server: SQLite, a new etcd, an etcd that is there, or joining one."""
import os
import secrets
import shutil
import time

from . import bootstrap, env, faults, http_client, log, pki, snapshots, version
from .bootstrap import BootstrapError
from .config import Config
from .etcd import PREFIX, STORAGE, Etcd
from .identity import advertised, node_name
from .routes import cluster_key
from .store import Store
from .tokens import TokenError, parse

_NO_BOOTSTRAP = ("preparing server: failed to bootstrap cluster data: failed to reconcile with local datastore: "
                 "no bootstrap data found in datastore - check server token value and verify datastore integrity")


class Datastore:
    """`store` and, when replicated, `etcd`. `propose` is the way to write."""

    def __init__(self, cfg: Config, password: str):
        self.cfg, self.password = cfg, password
        self.etcd = None
        self.store = None
        self.joined_from = None

    def propose(self, operations: list, wait: float = 6) -> int:
        return (self.etcd or self.store).propose(operations, wait)

    # -- choosing -------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Everything up to bootstrap data on disk and a datastore that is open. BootstrapError ends the start."""
        cfg, directory = self.cfg, self.cfg.path("server/db/etcd")
        self._tombstone(directory)
        if cfg["cluster-reset"]:
            return self._reset(directory)
        if os.path.exists(os.path.join(directory, "member")):
            return self._existing(directory)
        if cfg["datastore-endpoint"]:
            raise BootstrapError("the stand-in has no external datastore")
        if cfg["server"]:
            return self._join(directory)
        if cfg["cluster-init"]:
            return self._new(directory)
        return self._sqlite()

    def _sqlite(self) -> None:
        self.store = Store(self.cfg.path("server/db/state.db"))
        self._reconcile(self.store, create=True)

    def _reconcile(self, store: Store, create: bool) -> None:
        found = bootstrap.find(store, self.password)
        if found:
            return bootstrap.lay_out(self.cfg, found)
        if not create:
            raise BootstrapError(_NO_BOOTSTRAP)
        bootstrap.make_authorities(self.cfg)
        return None if self.etcd else store.propose([bootstrap.sealed(self.cfg, self.password)]) and None

    # -- etcd -----------------------------------------------------------------------------------------------------

    def _start_etcd(self, directory: str) -> None:
        self.store = Store(os.path.join(directory, "member/snap/db"))
        name = env.read(os.path.join(directory, "name")).strip()
        if not name:
            name = f"{node_name(self.cfg)}-{secrets.token_hex(4)}"
            env.write(os.path.join(directory, "name"), name, 0o600)
            env.write(os.path.join(directory, "config"), f"name: {name}\ndata-dir: {directory}\n", 0o600)
        os.chmod(directory, 0o700)
        self.etcd = Etcd(self.store, name, self.cfg.path("server/tls/server-ca.crt"), "")
        self._check_storage()

    def _check_storage(self) -> None:
        if self.etcd.storage() == "3.6" and version.minor() < 34:
            raise BootstrapError("etcd: invalid downgrade; server version is lower than determined cluster version 3.6")

    def _new(self, directory: str) -> None:
        log.info("Managed etcd cluster initializing")
        state = self.cfg.path("server/db/state.db")
        migrated = Store(state).dump() if os.path.exists(state) else None
        if migrated:
            log.info("Migrating content from sqlite to etcd")
        bootstrap.make_authorities(self.cfg)
        self._start_etcd(directory)
        self.etcd.key = cluster_key(self.cfg)
        self.store.propose([self._member(learner=False, order=1)])
        # From here until the bootstrap data is saved, a kill leaves a datastore that no start accepts.
        faults.point("etcd-bootstrap")
        time.sleep(env.seconds("etcd_ms"))
        if migrated:
            self.store.load({"revision": migrated["revision"] + 1, "data": {**migrated["data"], **self.store.dump()["data"]}})
            os.replace(state, state + ".migrated")
        self.store.propose([bootstrap.sealed(self.cfg, self.password), *self._storage_version()])

    @staticmethod
    def _storage_version() -> list:
        return [{"key": STORAGE, "value": {"version": "3.6" if version.minor() >= 34 else "3.5"}}]

    def _member(self, learner: bool, order: int) -> dict:
        return {"key": PREFIX + self.etcd.me, "value": {
            "name": self.etcd.me, "node": node_name(self.cfg), "address": advertised(self.cfg), "learner": learner,
            "order": order, "added": time.time()}}

    def _existing(self, directory: str) -> None:
        log.info("Managed etcd cluster bootstrap already complete and initialized")
        self._start_etcd(directory)
        try:
            self._reconcile(self.store, create=False)
        except BootstrapError as failure:
            # A join that was cut off before any data came goes on; a new cluster cut off there is lost.
            if str(failure) != _NO_BOOTSTRAP or not self.cfg["server"]:
                raise
            return self._join(directory)
        self.etcd.key = cluster_key(self.cfg)
        flag = self.cfg.path("server/db/reset-flag")
        if os.path.exists(flag):
            os.unlink(flag)
        if self.etcd.member(self.etcd.me) is None and not self.store.get("/standin/removed/" + self.etcd.me)[1] and self.cfg["server"]:
            return self._join(directory)
        return None

    def _tombstone(self, directory: str) -> None:
        if not os.path.exists(os.path.join(directory, "tombstone")):
            return
        if not self.cfg["server"]:
            raise BootstrapError("preparing server: failed to start cluster: this server has been removed from the cluster; "
                                 "etcd tombstone found: set server to rejoin the cluster, or delete the datastore")
        aside = self.cfg.path(f"server/db/etcd-backup-{int(time.time())}")
        log.info(f"etcd tombstone file found, moving {directory} to {aside} and rejoining the cluster")
        os.replace(directory, aside)

    # -- joining --------------------------------------------------------------------------------------------------

    def _join(self, directory: str) -> None:
        cfg = self.cfg
        url, given = cfg["server"].rstrip("/"), bootstrap.given_token(cfg)
        if not given:
            raise BootstrapError("preparing server: token is required to join a cluster")
        if not url.startswith("https://"):
            raise BootstrapError(f"preparing server: failed to validate token: only https:// URLs are supported, invalid scheme: {url}")
        ctx = validate_token(url, given, cfg)
        try:
            data = http_client.request_json("GET", url + "/v1-k3s/server-bootstrap", ctx, basic=f"server:{self.password}")
        except http_client.HttpError as failure:
            raise BootstrapError(f"preparing server: failed to bootstrap cluster data: {failure.url}: {failure.message()}") from None
        different = bootstrap.compare(cfg, data)
        for key in different:
            log.warn(f"critical configuration mismatched: --{key}")
        if different:
            raise BootstrapError("preparing server: failed to validate server configuration: "
                                 "critical configuration value mismatch between servers")
        bootstrap.lay_out(cfg, data)
        faults.point("join")
        self.joined_from = (url, ctx, directory)

    def finish_join(self) -> None:
        """Become a learner, and wait for promotion; called when the listener is up."""
        url, ctx, directory = self.joined_from
        while True:
            try:
                members = http_client.request_json("GET", url + "/db/info", ctx, basic=f"server:{self.password}")["members"]
                break
            except (http_client.HttpError, OSError) as failure:
                text = failure.message() if isinstance(failure, http_client.HttpError) else str(failure)
                log.info(f"Waiting to retrieve etcd cluster member list: failed to get etcd MemberList: {url}/db/info: {text}")
                time.sleep(1)
        self._start_etcd(directory)
        self.etcd.key = cluster_key(self.cfg)
        own = {"name": self.etcd.me, "node": node_name(self.cfg), "address": advertised(self.cfg)}
        while True:
            try:
                leader = next(m for m in members if not m["learner"])
                self.store.load(self.etcd.call(leader, "add", own, timeout=8))
                break
            except http_client.HttpError as failure:
                if "duplicate node name" in failure.message():
                    shutil.rmtree(directory, ignore_errors=True)
                    log.fatal(f"Error: etcd cluster join failed: {failure.message()}")
                log.info(f"Waiting for other members to finish joining etcd cluster: {failure.message()}")
            except OSError as failure:
                log.info(f"Retrying etcd cluster join: {failure}")
                members = members[1:] + members[:1]
            time.sleep(1)
        self._check_storage()
        log.info(f"Starting etcd to join cluster with members {[m['name'] for m in members]}")

    # -- cluster-reset --------------------------------------------------------------------------------------------

    def _reset(self, directory: str) -> None:
        cfg = self.cfg
        flag = cfg.path("server/db/reset-flag")
        if cfg["server"]:
            raise BootstrapError("cannot perform cluster-reset while server URL is set - remove server from configuration before resetting")
        if os.path.exists(flag):
            raise BootstrapError("Managed etcd cluster membership was previously reset, please remove the cluster-reset flag "
                                 f"and start k3s normally. If you need to perform another cluster reset, you must first manually delete the file at {flag}")
        dump = snapshots.read_for_restore(cfg) if cfg["cluster-reset-restore-path"] else None
        if dump is None and not os.path.exists(os.path.join(directory, "member")):
            raise BootstrapError("cluster-reset was specified, but the managed datastore is not initialized")
        if dump is not None and os.path.exists(directory):
            os.replace(directory, cfg.path(f"server/db/etcd-old-{int(time.time())}"))
        self._start_etcd(directory)
        if dump is not None:
            self.store.load(dump)
        self._reconcile(self.store, create=False)
        gone = [{"key": key, "value": None} for key, _, _ in self.store.list("/standin/members/") + self.store.list("/standin/removed/")]
        self.store.propose(gone + [self._member(learner=False, order=1), *self._storage_version()])
        env.write(flag, "", 0o600)
        log.info("Managed etcd cluster membership has been reset, restart without --cluster-reset flag now. "
                 "Backup and delete ${datadir}/server/db on each peer etcd server and rejoin the nodes")
        os._exit(0)


def validate_token(url: str, given: str, cfg: Config):
    """Check form and CA hash of a token against a server; gives a TLS context that trusts the server's CA from now on."""
    try:
        token = parse(given)
    except TokenError as failure:
        raise BootstrapError(f"preparing server: failed to validate token: {failure}") from None
    try:
        pem = http_client.request("GET", url + "/cacerts", http_client.context(insecure=True))
    except (OSError, http_client.HttpError) as failure:
        raise BootstrapError(f'preparing server: failed to validate token: failed to get CA certs: Get "{url}/cacerts": {failure}') from None
    found = pki.ca_hash(pem)
    if token.ca_hash and token.ca_hash != found:
        raise BootstrapError("preparing server: failed to validate token: token CA hash does not match the Cluster CA "
                             f"certificate hash: {token.ca_hash} != {found}")
    path = env.write(cfg.path("agent/server-ca.crt"), pem)
    return http_client.context(path)
