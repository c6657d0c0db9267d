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


def read(path: str, form: str) -> list:
    """(name, digest, size) of every named image in an archive. ArchiveError when it is none."""
    small, sizes, digests = {}, {}, {}
    try:
        with _open(path, form) as raw, tarfile.open(fileobj=raw, mode="r|") as tar:
            for member in tar:
                if not member.isfile():
                    continue
                name = member.name[2:] if member.name.startswith("./") else member.name
                sizes[name] = member.size
                file = tar.extractfile(member)
                if member.size <= 4 << 20:
                    small[name] = file.read()
                    digests[name] = hashlib.sha256(small[name]).hexdigest()
                    if len(small[name]) != member.size:
                        raise ArchiveError("unexpected EOF")
                else:
                    while file.read(1 << 20):
                        pass
    except (tarfile.TarError, EOFError, OSError, gzip.BadGzipFile) as failure:
        raise ArchiveError(f"archive/tar: invalid tar header: {failure}" if isinstance(failure, tarfile.ReadError) else str(failure)) from None
    found = _docker(small, sizes, digests) if "manifest.json" in small else []
    if "index.json" in small:
        known = {entry[0] for entry in found}
        found += [entry for entry in _oci(small) if entry[0] not in known]
    if "manifest.json" not in small and "index.json" not in small:
        raise ArchiveError("unrecognized image format")
    return found


def _docker(small: dict, sizes: dict, digests: dict) -> list:
    out = []
    for item in json.loads(small["manifest.json"]):
        if item["Config"] not in small:
            raise ArchiveError(f"image config {item['Config']} not found")
        for layer in item["Layers"]:
            if layer not in sizes:
                raise ArchiveError(f'layer "{layer}" not found')
        text = json.dumps([digests[item["Config"]], [digests.get(layer, layer) for layer in item["Layers"]]])
        digest = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
        size = sum(sizes[layer] for layer in item["Layers"]) + sizes[item["Config"]]
        out += [(normalise(name), digest, size) for name in item.get("RepoTags") or []]
    return out


def _oci(small: dict) -> list:
    out = []
    for entry in json.loads(small["index.json"]).get("manifests", []):
        notes = entry.get("annotations") or {}
        name = notes.get("io.containerd.image.name") or notes.get("org.opencontainers.image.ref.name")
        blob = "blobs/" + entry["digest"].replace(":", "/")
        if not name or not ("/" in name or ":" in name):
            continue
        if blob in small and "sha256:" + hashlib.sha256(small[blob]).hexdigest() != entry["digest"]:
            raise ArchiveError(f"unexpected commit digest, expected {entry['digest']}")
        size = entry.get("size", 0)
        if blob in small:
            manifest = json.loads(small[blob])
            size = sum(layer.get("size", 0) for layer in manifest.get("layers", []))
        out.append((normalise(name), entry["digest"], size))
    return out
