"""Snapshots of the datastore: made by the server, kept in server/db/snapshots, read by a cluster-reset."""
import gzip
import json
import os
import time

from . import env
from .config import Config
from .identity import node_name
from .kube import ApiError


def directory(cfg: Config) -> str:
    return cfg["etcd-snapshot-dir"] or cfg.path("server/db/snapshots")


def operate(server, body: dict) -> dict:
    """save, list, delete or prune, as `k3s etcd-snapshot` asks."""
    kind = body.get("operation")
    if kind == "save":
        return _save(server, body)
    if kind == "delete":
        return _delete(server, body.get("name") or [])
    if kind == "prune":
        return _prune(server, body.get("name", [""])[0] if body.get("name") else "on-demand", int(body.get("retention") or 5))
    return {"items": listing(server.cfg)}


def _save(server, body: dict) -> dict:
    where = body.get("dir") or directory(server.cfg)
    if body.get("dir") and not os.path.isdir(where):
        raise ApiError(500, "InternalError", f"failed to get etcd-snapshot-dir: stat {where}: no such file or directory")
    base = (body.get("name") or ["on-demand"])[0]
    name = f"{base}-{node_name(server.cfg)}-{int(time.time())}"
    while os.path.exists(os.path.join(where, name)):
        time.sleep(0.2)
        name = f"{base}-{node_name(server.cfg)}-{int(time.time())}"
    os.makedirs(where, mode=0o700, exist_ok=True)
    env.write(os.path.join(where, name), gzip.compress(json.dumps(server.store.dump()).encode(), mtime=0), 0o600)
    keep = int(body.get("retention") or server.cfg["etcd-snapshot-retention"])
    pruned = _prune(server, base, keep)["deleted"] if keep else []
    return {"created": [name], "deleted": pruned, "path": os.path.join(where, name)}


def listing(cfg: Config) -> list:
    """name, location, size and time of the snapshots on this node."""
    where = directory(cfg)
    if not os.path.isdir(where):
        return []
    out = []
    for name in sorted(os.listdir(where)):
        if ".tmp" in name:
            continue
        found = os.stat(os.path.join(where, name))
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(found.st_mtime))
        out.append({"name": name, "location": f"file://{os.path.join(where, name)}", "size": found.st_size,
                    "created": stamp, "nodeName": node_name(cfg)})
    return out


def _delete(server, names: list) -> dict:
    gone = []
    for name in names:
        path = os.path.join(directory(server.cfg), os.path.basename(name))
        if os.path.exists(path):
            os.unlink(path)
            gone.append(name)
    return {"deleted": gone}


def _prune(server, base: str, keep: int) -> dict:
    prefix = f"{base}-{node_name(server.cfg)}-"
    names = [item["name"] for item in listing(server.cfg) if item["name"].startswith(prefix)]
    return _delete(server, names[:-keep] if keep else names)


def read_for_restore(cfg: Config) -> dict:
    """The dump in the snapshot that cluster-reset-restore-path names: a path, or a name in the directory."""
    path = cfg["cluster-reset-restore-path"]
    if not os.path.exists(path):
        path = os.path.join(directory(cfg), path)
    if not os.path.exists(path):
        from .bootstrap import BootstrapError
        raise BootstrapError(f"etcd: snapshot path does not exist: {cfg['cluster-reset-restore-path']}")
    with gzip.open(path) as file:
        return json.load(file)
