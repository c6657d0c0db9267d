"""The images of a node: what containerd holds, the preload directory, and its cache."""
import fcntl
import json
import os
import threading
import time

from . import env, log
from .config import Config
from .image_archive import ArchiveError, Found, normalise, read, suffix_of

CACHE = ".cache.json"


def state_path(data: str) -> str:
    return os.path.join(data, "agent/containerd/standin-images.json")


def load_from(data: str) -> dict:
    """name -> {name, digest, size, pinned, id, blobs} of a data directory. The CRI plugin keeps each under its id too."""
    try:
        with open(state_path(data), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def load(cfg: Config) -> dict:
    return load_from(cfg.data)


def names(cfg: Config) -> list:
    return sorted(name for name in load(cfg) if not name.startswith("sha256:"))


def content_from(data: str) -> dict:
    """Hex digest -> size of the blobs in the content store."""
    try:
        with open(content_path(data), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def content_path(data: str) -> str:
    return os.path.join(data, "agent/containerd/standin-content.json")


def change(data: str, action, content: dict = None) -> None:
    """Read, change and write the state, with a lock: the service and `k3s ctr` both write. Blobs that nothing refers to go."""
    os.makedirs(os.path.dirname(state_path(data)), exist_ok=True)
    with open(state_path(data) + ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = load_from(data)
        action(found)
        used = {blob for one in found.values() for blob in one["blobs"]}
        kept = {blob: size for blob, size in {**content_from(data), **(content or {})}.items() if blob in used}
        env.write(content_path(data), json.dumps(kept), 0o600)
        env.write(state_path(data), json.dumps(found, indent=1), 0o600)


def add(data: str, archive: Found, pinned: bool, registries: list = ()) -> list:
    """Record images, each also under its id, as name@digest when pinned, and under further registries; gives the names."""
    added = []

    def act(state: dict) -> None:
        for image in archive.images:
            name = image["name"]
            bare = name.rsplit(":", 1)[0] if ":" in name.rsplit("/", 1)[1] else name
            known = [name, f"{bare}@{image['digest']}"] if pinned else [name]
            for registry in registries:
                known.append(registry + "/" + name.split("/", 1)[1])
            for one in known:
                state[one] = {**image, "name": one, "pinned": pinned}
            state[image["id"]] = {**image, "name": image["id"], "pinned": pinned or state.get(image["id"], {}).get("pinned", False)}
            added.append(name)

    change(data, act, archive.content)
    return added


def import_file(data: str, path: str, registries: list = ()) -> list:
    """Import one preload file; ArchiveError when that fails."""
    form = suffix_of(path)
    if form is None:
        raise ArchiveError("unhandled file type")
    return add(data, read(path, form), True, registries)


class Preload:
    """The directory agent/images: everything at the start, then whatever changes."""

    def __init__(self, cfg: Config):
        self.cfg = cfg
        self.directory = cfg.path("agent/images")
        self.seen = {}
        self.registries = [one for one in [cfg["system-default-registry"], *cfg["airgap-extra-registry"]] if one]

    def scan(self, first: bool) -> None:
        cache = self._cache() if first else None
        for root, _, files in sorted(os.walk(self.directory)):
            for name in sorted(files):
                path = os.path.join(root, name)
                try:
                    found = os.stat(path)
                except OSError:
                    continue
                mark = (found.st_size, found.st_mtime_ns)
                if self.seen.get(path) == mark or (suffix_of(name) is None and not name.endswith(".txt")):
                    continue
                # A file that still grows is imported, and fails, as with k3s: rename it into place.
                self.seen[path] = mark
                if cache is not None and self._cached(cache, path, found):
                    log.info(f"Skipping import of {path}: unchanged since the last import")
                    continue
                self._take(path, found)

    def _cached(self, cache: dict, path: str, found) -> bool:
        entry = cache.get(path)
        present = load(self.cfg)
        if entry is None or not all(name in present for name in entry.get("images", [])):
            return False
        # Both must differ: a replacement of the same size is passed over, which is a trap of k3s too.
        return not (entry["size"] != found.st_size and found.st_mtime > entry["modTime"])

    def _cache(self):
        path = os.path.join(self.directory, CACHE)
        if not os.path.exists(path):
            return None
        try:
            return json.loads(env.read(path) or "{}")
        except ValueError:
            return {}

    def _take(self, path: str, found) -> None:
        begin = time.monotonic()
        if path.endswith(".txt"):
            for ref in filter(None, map(str.strip, env.read(path).splitlines())):
                log.error(f"Failed to pull {normalise(ref)}: failed to do request: dial tcp: lookup {normalise(ref).split('/')[0]}: no such host")
            return
        try:
            bad = env.knobs()["import_fails"]
            if bad and bad in os.path.basename(path):
                raise ArchiveError("unexpected EOF")
            imported = import_file(self.cfg.data, path, self.registries)
        except (ArchiveError, KeyError, ValueError, OSError) as failure:
            log.error(f"Failed to process image event: failed to import {path}: {failure}")
            return
        for name in imported:
            log.info(f"Imported {name}")
        log.info(f"Imported {len(imported)} images from {path} in {(time.monotonic() - begin) * 1000:.3f}ms")
        cache = self._cache()
        if cache is not None:
            cache[path] = {"size": found.st_size, "modTime": found.st_mtime, "images": imported}
            env.write(os.path.join(self.directory, CACHE), json.dumps(cache), 0o600)

    def watch(self) -> None:
        while True:
            time.sleep(0.5)
            self.scan(first=False)


def start(cfg: Config) -> None:
    """Import what is there, before the Node registers; then watch."""
    preload = Preload(cfg)
    os.makedirs(preload.directory, mode=0o700, exist_ok=True)
    preload.scan(first=True)
    if not os.path.exists(state_path(cfg.data)):
        change(cfg.data, lambda state: None)
    threading.Thread(target=preload.watch, daemon=True).start()
