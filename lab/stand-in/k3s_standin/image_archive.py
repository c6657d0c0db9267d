"""Reading image archives: docker-archive and OCI layout, plain or compressed, and the names that containerd gives."""
import bz2
import gzip
import hashlib
import json
import shutil
import subprocess
import tarfile

#: Recognised suffixes, case-sensitive, with how to read them. The suffix decides, not the content.
SUFFIXES = {".tar": "", ".tar.lz4": "lz4", ".tar.bz2": "bz2", ".tbz": "bz2", ".tar.gz": "gz", ".tgz": "gz",
            ".tar.zst": "zstd", ".tzst": "zstd"}


class ArchiveError(ValueError):
    """An archive that cannot be imported."""


def suffix_of(name: str):
    """The compression by the file's suffix, or None when the file is none of the recognised."""
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        if name.endswith(suffix):
            return SUFFIXES[suffix]
    return None


def normalise(name: str) -> str:
    """The full name of an image reference: docker.io/library/… and :latest are filled in."""
    base, sign, digest = name.partition("@")
    first, slash, _ = base.partition("/")
    if not slash:
        base = f"docker.io/library/{base}"
    elif "." not in first and ":" not in first and first != "localhost":
        base = f"docker.io/{base}"
    if ":" not in base.rsplit("/", 1)[1] and not sign:
        base += ":latest"
    return base + sign + digest


def _open(path: str, form: str):
    if form == "gz":
        return gzip.open(path)
    if form == "bz2":
        return bz2.open(path)
    if not form:
        return open(path, "rb")
    tool = shutil.which(form)
    if not tool:
        raise ArchiveError(f"the stand-in needs the command {form} to read this file")
    done = subprocess.Popen([tool, "-dc", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.stdout


class Found:
    """What an archive holds: images as [{name, digest, size, id, blobs}], and its blobs by hex digest, with their sizes."""

    def __init__(self, images: list, content: dict):
        self.images, self.content = images, content


def read(path: str, form: str, held: dict = None) -> Found:
    """Every named image in an archive. ArchiveError when it is none. `held` are blobs that an OCI archive may leave out."""
    small, sizes, digests = {}, {}, {}
    try:
        with _open(path, form) as raw, tarfile.open(fileobj=raw, mode="r|") as tar:
            for member in tar:
                if member.isfile():
                    name = member.name[2:] if member.name.startswith("./") else member.name
                    digests[name], small[name] = _take(tar.extractfile(member), member.size)
                    sizes[name] = member.size
    except (tarfile.TarError, EOFError, OSError, gzip.BadGzipFile) as failure:
        raise ArchiveError(f"archive/tar: invalid tar header: {failure}" if isinstance(failure, tarfile.ReadError) else str(failure)) from None
    # containerd looks at manifest.json only where there is no OCI layout.
    if "oci-layout" in small and "index.json" in small:
        return _oci(small, sizes, digests, held or {})
    if "manifest.json" in small:
        return _docker(small, sizes, digests)
    raise ArchiveError("unrecognized image format")


def _take(file, size: int) -> tuple:
    """The hex digest of a member, and its content when it is small."""
    sha, kept, seen = hashlib.sha256(), b"", 0
    while True:
        chunk = file.read(1 << 20)
        if not chunk:
            break
        sha.update(chunk)
        seen += len(chunk)
        if size <= 4 << 20:
            kept += chunk
    if seen != size:
        raise ArchiveError("unexpected EOF")
    return sha.hexdigest(), kept


def _docker(small: dict, sizes: dict, digests: dict) -> Found:
    images, content = [], {}
    for item in json.loads(small["manifest.json"]):
        if item["Config"] not in small:
            raise ArchiveError(f"image config {item['Config']} not found")
        for layer in item["Layers"]:
            if layer not in sizes:
                raise ArchiveError(f'layer "{layer}" not found')
        blobs = [digests[item["Config"]], *[digests[layer] for layer in item["Layers"]]]
        content.update({digests[name]: sizes[name] for name in (item["Config"], *item["Layers"])})
        # containerd makes a manifest of its own; here the list of its blobs stands for it.
        text = json.dumps(blobs).encode()
        own = hashlib.sha256(text).hexdigest()
        content[own] = len(text)
        size = sum(sizes[layer] for layer in item["Layers"]) + sizes[item["Config"]]
        images += [{"name": normalise(name), "digest": f"sha256:{own}", "size": size, "id": f"sha256:{blobs[0]}", "blobs": [own, *blobs]}
                   for name in item.get("RepoTags") or []]
    return Found(images, content)


def _oci(small: dict, sizes: dict, digests: dict, held: dict) -> Found:
    images, content = [], {}
    for name, size in sizes.items():
        if name.startswith("blobs/sha256/"):
            # A blob is stored under what it is, not under what its name says.
            content[digests[name]] = size
    for entry in json.loads(small["index.json"]).get("manifests", []):
        notes = entry.get("annotations") or {}
        name = notes.get("io.containerd.image.name") or notes.get("org.opencontainers.image.ref.name")
        if not name or not ("/" in name or ":" in name):
            continue
        for hexed in _manifests(entry, small):
            manifest = json.loads(small[f"blobs/sha256/{hexed}"])
            parts = [manifest["config"], *manifest.get("layers", [])]
            blobs = [hexed, *[part["digest"].split(":")[1] for part in parts]]
            size = sum(part.get("size", 0) for part in parts)
            images.append({"name": normalise(name), "digest": entry["digest"], "size": size, "id": manifest["config"]["digest"],
                           "blobs": blobs})
            for one in blobs:
                if one not in content and one not in held:
                    raise Missing(f"failed to get reader from content store: content digest sha256:{one}: not found", Found(images, content))
    return Found(images, content)


def _manifests(entry: dict, small: dict) -> list:
    """Hex digests of the manifests of an entry of the index, those of this platform where it is an index itself."""
    hexed = entry["digest"].split(":")[1]
    text = small.get(f"blobs/sha256/{hexed}")
    if text is None:
        raise ArchiveError(f"content digest {entry['digest']}: not found")
    if hashlib.sha256(text).hexdigest() != hexed:
        raise ArchiveError(f"unexpected commit digest, expected {entry['digest']}")
    nested = json.loads(text).get("manifests")
    if nested is None:
        return [hexed]
    mine = [child for child in nested if child.get("platform", {}).get("architecture") == "amd64"]
    return [one for child in mine for one in _manifests(child, small) if f"blobs/sha256/{one}" in small]


class Missing(ArchiveError):
    """An image whose blobs are neither in the archive nor in the content store: it is recorded all the same."""

    def __init__(self, text: str, found: Found):
        super().__init__(text)
        self.found = found
