"""`k3s ctr` and `k3s crictl`, in the forms that concern images."""
import json
import os
import shutil
import sys
import tempfile

from . import images
from .config import data_dir_of_host
from .image_archive import ArchiveError, Missing, normalise, read


IMPORT_FLAGS = ("--base-name", "--digests", "--skip-digest-for-named", "--index-name", "--all-platforms", "--platform", "--no-unpack",
                "--local", "--compress-blobs", "--discard-unpacked-layers", "--snapshotter")


def _running(data: str) -> bool:
    return os.path.exists(images.state_path(data))


def _no_socket(tool: str) -> int:
    where = "/run/k3s/containerd/containerd.sock"
    text = f'cannot access socket {where}: stat {where}: no such file or directory'
    print(f"{tool}: {text}" if tool == "ctr" else f'level=fatal msg="validate service connection: {text}"', file=sys.stderr)
    return 1


def ctr(args: list) -> int:
    """images ls|check|import|tag|rm and content ls; the namespace must be k8s.io to see anything."""
    data, space, rest, at = data_dir_of_host(), os.environ.get("CONTAINERD_NAMESPACE", "k8s.io"), [], 0
    while at < len(args):
        if args[at] in ("-n", "--namespace"):
            space, at = args[at + 1], at + 2
        elif args[at] in ("-a", "--address"):
            at += 2
        elif args[at].startswith("--namespace="):
            space, at = args[at].partition("=")[2], at + 1
        else:
            rest.append(args[at])
            at += 1
    if rest[:1] in (["version"], ["--version"]):
        print("Client:\n  Version:  v2.0.5-k3s1 (stand-in)")
        return 0
    if not _running(data):
        return _no_socket("ctr")
    if rest[:2] in (["content", "ls"], ["content", "list"]):
        print("".join(f"sha256:{blob}\n" for blob in sorted(images.content_from(data))), end="")
        return 0
    if rest[:1] not in (["images"], ["image"], ["i"]) or len(rest) < 2:
        print(f"ctr: the stand-in knows only images and content, not {' '.join(rest)!r}", file=sys.stderr)
        return 1
    verb, rest = rest[1], rest[2:]
    names = [word for word in rest if not word.startswith("-") or word == "-"]
    if verb in ("ls", "list"):
        return _ctr_list(data if space == "k8s.io" else "", "-q" in rest or "--quiet" in rest, names)
    if verb == "check":
        return _ctr_check(data)
    if verb == "import":
        return _ctr_import(data, names, rest)
    if verb == "tag":
        return _ctr_tag(data, names, "--force" in rest)
    if verb in ("rm", "remove", "delete"):
        return _ctr_remove(data, names)
    if verb == "pull":
        print(f"ctr: failed to resolve reference {names[-1]!r}: failed to do request: dial tcp: no such host", file=sys.stderr)
        return 1
    print(f"ctr: the stand-in does not know images {verb}", file=sys.stderr)
    return 1


def _ctr_list(data: str, quiet: bool, filters: list) -> int:
    found = images.load_from(data) if data else {}
    wanted = [text.partition("==")[2].strip('"') for text in filters if text.startswith("name==")]
    if not quiet:
        print("REF TYPE DIGEST SIZE PLATFORMS LABELS")
    for name in sorted(found):
        if wanted and name not in wanted:
            continue
        one = found[name]
        labels = "io.cri-containerd.image=managed" + (",io.cri-containerd.pinned=pinned" if one["pinned"] else "")
        print(name if quiet else f"{name} application/vnd.oci.image.manifest.v1+json {one['digest']} "
              f"{one['size'] / 1024:.1f} KiB linux/amd64 {labels}")
    return 0


def _ctr_check(data: str) -> int:
    """Whether the content of every image is all there. Unpacking is not played: what is whole counts as unpacked."""
    found, content = images.load_from(data), images.content_from(data)
    print("REF TYPE DIGEST STATUS SIZE UNPACKED")
    for name in sorted(found):
        one = found[name]
        have = [blob for blob in one["blobs"] if blob in content]
        whole = len(have) == len(one["blobs"])
        size = f"{sum(content[blob] for blob in have) / 1024:.1f} KiB/{one['size'] / 1024:.1f} KiB"
        print(f"{name} application/vnd.oci.image.manifest.v1+json {one['digest']} {'complete' if whole else 'incomplete'} "
              f"({len(have)}/{len(one['blobs'])}) {size} {'true' if whole else 'false'}")
    return 0


def _ctr_tag(data: str, names: list, force: bool) -> int:
    failed = []

    def act(state: dict) -> None:
        source, *targets = names
        if source not in state:
            failed.append(f'image "{source}": not found')
            return
        for target in targets:
            if target in state and not force:
                failed.append(f'image "{target}": already exists')
                continue
            state[target] = {**state[source], "name": target, "pinned": False}
            print(target)

    images.change(data, act)
    for text in failed:
        print(f"ctr: {text}", file=sys.stderr)
    return 1 if failed else 0


def _ctr_import(data: str, names: list, flags: list) -> int:
    unknown = [flag for flag in flags if flag.startswith("--") and flag.split("=")[0] not in IMPORT_FLAGS]
    if unknown:
        print(f"ctr: flag provided but not defined: -{unknown[0].lstrip('-')}", file=sys.stderr)
        return 1
    if not names:
        print("ctr: please provide a file to import", file=sys.stderr)
        return 1
    with tempfile.NamedTemporaryFile() as temp:
        path = names[0]
        if path == "-":
            shutil.copyfileobj(sys.stdin.buffer, temp)
            temp.flush()
            path = temp.name
        try:
            with open(path, "rb") as file:
                head = file.read(4)
            # Unlike the preload directory, ctr looks at the content.
            form = "gz" if head[:2] == b"\x1f\x8b" else "zstd" if head == b"\x28\xb5\x2f\xfd" else "bz2" if head[:3] == b"BZh" else ""
            found = read(path, form, images.content_from(data))
        except Missing as failure:
            images.add(data, failure.found, False)
            print(f"ctr: apply layer error: {failure}", file=sys.stderr)
            return 1
        except (OSError, ArchiveError, ValueError, KeyError) as failure:
            print(f"ctr: {failure}", file=sys.stderr)
            return 1
        for name in images.add(data, found, False):
            print(f"{name}\tsaved")
    return 0


def _ctr_remove(data: str, names: list) -> int:
    missing = []

    def act(state: dict) -> None:
        for name in names:
            if state.pop(name, None) is None:
                missing.append(name)
            else:
                print(name)

    images.change(data, act)
    for name in missing:
        print(f'ctr: unable to delete {name}: image "{name}": not found', file=sys.stderr)
    return 1 if missing else 0


def crictl(args: list) -> int:
    """images [-o json], rmi, pull (refused: there is no network), pods and ps (empty)."""
    data = data_dir_of_host()
    rest = [word for word in args if not word.startswith("--runtime-endpoint") and not word.startswith("--config")]
    if rest[:1] in (["--version"], ["-v"], ["version"]):
        print("crictl version v1.33.0-k3s1 (stand-in)")
        return 0
    if not _running(data):
        return _no_socket("crictl")
    verb = rest[0] if rest else ""
    if verb in ("images", "image", "img"):
        return _crictl_images(data, rest)
    if verb == "pull":
        name = normalise(rest[-1])
        print(f'level=fatal msg="pulling image: failed to pull and unpack image \\"{name}\\": failed to resolve reference: '
              f'dial tcp: lookup {name.split("/")[0]}: no such host"', file=sys.stderr)
        return 1
    if verb == "rmi":
        found = images.load_from(data)
        wanted = [normalise(word) for word in rest[1:] if not word.startswith("-")]
        ids = {found[name]["id"] for name in wanted if name in found}
        # The CRI takes away an image with all of its names.
        return _ctr_remove(data, [name for name in wanted if name not in found] + [name for name, one in found.items() if one["id"] in ids])
    if verb in ("pods", "ps", "info"):
        as_json = "json" in " ".join(rest) or verb == "info"
        print({"pods": '{"items": []}', "ps": '{"containers": []}', "info": '{"status": {"conditions": []}}'}[verb] if as_json else "")
        return 0
    print(f"crictl: the stand-in does not know {verb}", file=sys.stderr)
    return 1


def _crictl_images(data: str, rest: list) -> int:
    grouped = {}
    for name, one in images.load_from(data).items():
        entry = grouped.setdefault(one["id"], {"id": one["id"], "repoTags": [], "repoDigests": [], "size": str(one["size"]),
                                               "uid": None, "username": "", "spec": None, "pinned": False})
        if not name.startswith("sha256:"):
            entry["repoDigests" if "@" in name else "repoTags"].append(name)
        entry["pinned"] = entry["pinned"] or one["pinned"]
    if "json" in " ".join(rest):
        print(json.dumps({"images": list(grouped.values())}, indent=2))
    elif "-q" in rest or "--quiet" in rest:
        print("\n".join(grouped))
    else:
        print("IMAGE TAG IMAGE ID SIZE")
        for entry in grouped.values():
            for name in entry["repoTags"]:
                print(f"{name.rpartition(':')[0]} {name.rpartition(':')[2]} {entry['id'][7:20]} {entry['size']}")
    return 0
