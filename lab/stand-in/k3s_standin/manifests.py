"""The objects that `kubectl -f` names."""
import os
import sys

from . import env
from .kube import ApiError
from .yaml_mini import documents


def manifests(args) -> list:
    """Every object in the files of -f; `-` is stdin, a directory is all its manifests."""
    out = []
    for name in args.all_of("filename"):
        paths = [os.path.join(name, one) for one in sorted(os.listdir(name)) if one.endswith((".yaml", ".yml", ".json"))] if os.path.isdir(name) else [name]
        for path in paths:
            if path != "-" and not os.path.exists(path):
                raise ApiError(0, "", f'error: the path "{path}" does not exist')
            for one in documents(sys.stdin.read() if path == "-" else env.read(path)):
                out += one.get("items", []) if one.get("kind", "").endswith("List") else [one]
    return out
