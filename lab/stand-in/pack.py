"""Packs the stand-in: one executable `k3s`, an air-gap archive, checksums and an image list, as a release has them.

Usage: pack.py OUTPUT_DIR VERSION. The same sources and the same Python give the same bytes.
"""
import hashlib
import importlib.util
import io
import json
import os
import pathlib
import re
import sys
import tarfile
import zipfile

HERE = pathlib.Path(__file__).parent
STAMP = (1980, 1, 1, 0, 0, 0)
MAIN = "import sys\nfrom k3s_standin.main import main\nsys.exit(main())\n"
IMAGES = ["klipper-helm:v0.9.5-build20250306", "klipper-lb:v0.4.13", "local-path-provisioner:v0.0.31",
          "mirrored-coredns-coredns:1.12.1", "mirrored-library-busybox:1.36.1", "mirrored-library-traefik:3.3.6",
          "mirrored-metrics-server:v0.7.2", "mirrored-pause:3.6"]


def sources(version: str) -> dict:
    """Archive name -> text of every module, with the version put in."""
    found = {"__main__.py": MAIN}
    for path in sorted((HERE / "k3s_standin").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        if path.name == "version.py":
            text = re.sub(r'^VERSION = ".*"$', f'VERSION = "{version}"', text, flags=re.M)
        found[f"k3s_standin/{path.name}"] = text
    return found


def compiled(name: str, text: str) -> bytes:
    """Byte code beside the source: a fourth of the start time. Another Python falls back to the source."""
    from importlib._bootstrap_external import _code_to_hash_pyc
    code = compile(text, name, "exec", dont_inherit=True, optimize=0)
    return bytes(_code_to_hash_pyc(code, importlib.util.source_hash(text.encode()), False))


def write_program(path: pathlib.Path, version: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in sources(version).items():
            for entry, data in ((name, text.encode()), (name[:-3] + ".pyc", compiled(name, text))):
                info = zipfile.ZipInfo(entry, STAMP)
                info.external_attr = 0o644 << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, data)
        # As large as a program is taken for one: small files are told by their digest, large ones by other means.
        archive.writestr(zipfile.ZipInfo("padding", STAMP), bytes(3 << 20))
    path.write_bytes(b"#!/usr/bin/env python3\n" + buffer.getvalue())
    path.chmod(0o755)


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o644
    tar.addfile(info, io.BytesIO(data))


def layer(name: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        add(tar, "stand-in", f"a synthetic layer in place of {name}\n".encode())
    return buffer.getvalue()


def write_images(path: pathlib.Path, names: list) -> None:
    """A docker-archive. The pause image has a second tag, as archives may."""
    manifest = []
    with tarfile.open(path, "w") as tar:
        for name in names:
            data = layer(name)
            digest = hashlib.sha256(data).hexdigest()
            config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "created": "1980-01-01T00:00:00Z",
                                 "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest]}}).encode()
            file = hashlib.sha256(config).hexdigest() + ".json"
            add(tar, f"{digest}/layer.tar", data)
            add(tar, file, config)
            tags = [name] + (["rancher/pause:3.6"] if "mirrored-pause" in name else [])
            manifest.append({"Config": file, "RepoTags": tags, "Layers": [f"{digest}/layer.tar"]})
        add(tar, "manifest.json", json.dumps(manifest).encode())


def main() -> int:
    out, version = pathlib.Path(sys.argv[1]), sys.argv[2]
    if not re.fullmatch(r"v1\.3[0-6]\.\d+\+k3s\d+", version):
        print(f"{version!r} is no version between v1.30 and v1.36, such as v1.33.1+k3s1", file=sys.stderr)
        return 2
    out.mkdir(parents=True, exist_ok=True)
    names = [f"rancher/{name}" for name in IMAGES]
    write_program(out / "k3s", version)
    write_images(out / "k3s-airgap-images-amd64.tar", names)
    (out / "k3s-images.txt").write_text("".join(f"docker.io/{name}\n" for name in names), encoding="utf-8")
    sums = [(hashlib.sha256((out / file).read_bytes()).hexdigest(), file) for file in ("k3s", "k3s-airgap-images-amd64.tar")]
    (out / "sha256sum-amd64.txt").write_text("".join(f"{digest}  {file}\n" for digest, file in sums), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
