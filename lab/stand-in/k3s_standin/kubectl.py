"""`k3s kubectl`: the verbs and flags that scripts of airlift use. What it does not know, it refuses."""
import json
import os
import sys

from . import env, version
from .jsonpath import JsonPathError
from .kube import ApiError
from .kubectl_client import Client
from .kubectl_get import get

#: Flags with a value; all others are switches.
VALUES = {"n", "namespace", "o", "output", "f", "filename", "l", "selector", "kubeconfig", "context", "raw", "field-selector",
          "grace-period", "timeout", "p", "patch", "type", "for", "request-timeout", "s", "server", "cascade", "field-manager",
          "certificate-authority", "client-certificate", "client-key", "pod-selector", "dry-run", "sort-by", "v", "chunk-size",
          "from-literal", "from-file", "skip-wait-for-delete-timeout"}
SHORT = {"n": "namespace", "o": "output", "f": "filename", "l": "selector", "p": "patch", "s": "server"}
#: Optional values: only with `=`.
OPTIONAL = {"cascade", "dry-run"}


class Arguments:
    """Words and flags. `flags` maps a long name to its last value; `all_of` gives every value."""

    def __init__(self, argv: list):
        self.words, self.pairs, at = [], [], 0
        while at < len(argv):
            word = argv[at]
            at += 1
            if word == "-" or not word.startswith("-"):
                self.words.append(word)
                continue
            if not word.startswith("--") and len(word) > 2 and word[1] in SHORT and "=" not in word[:3]:
                self.pairs.append((SHORT[word[1]], word[2:]))
                continue
            key, sign, value = word.lstrip("-").partition("=")
            if not sign and key in VALUES and key not in OPTIONAL:
                if at >= len(argv):
                    raise ApiError(0, "", f"error: flag needs an argument: {word}")
                value, at = argv[at], at + 1
            self.pairs.append((SHORT.get(key, key), value if sign or key in VALUES else "true"))

    @property
    def flags(self) -> dict:
        return dict(self.pairs)

    def all_of(self, key: str) -> list:
        return [value for name, value in self.pairs if name == key]

    def on(self, *keys: str) -> bool:
        return any(self.flags.get(key, "") == "true" for key in keys)


def kubectl(argv: list) -> int:
    """Run one command; gives the exit status."""
    try:
        return _run(Arguments(argv))
    except (JsonPathError, ValueError) as failure:
        print(f"error: {failure}", file=sys.stderr)
    except ApiError as failure:
        print(f"Error from server ({failure.reason}): {failure.message}" if failure.code else failure.message, file=sys.stderr)
    return 1


def _version(args: Arguments) -> int:
    ours = {"major": "1", "minor": str(version.minor()), "gitVersion": version.VERSION, "platform": "linux/amd64"}
    found = {"clientVersion": ours}
    if not args.on("client"):
        found["serverVersion"] = _client(args).call("GET", "/version")
    if args.flags.get("output") == "json":
        print(json.dumps(found, indent=2))
    else:
        print(f"Client Version: {version.VERSION}\nKustomize Version: v5.6.0")
        if "serverVersion" in found:
            print(f"Server Version: {found['serverVersion']['gitVersion']}")
    return 0


def _client(args: Arguments) -> Client:
    if args.on("insecure-skip-tls-verify"):
        return Client(server=args.flags.get("server", ""), insecure=True)
    files = tuple(args.flags.get(flag, "") for flag in ("certificate-authority", "client-certificate", "client-key"))
    if any(files):
        return Client(server=args.flags.get("server", ""), files=files)
    return Client(args.flags.get("kubeconfig", ""), args.flags.get("context", ""), args.flags.get("server", ""))


def _run(args: Arguments) -> int:
    from .config import data_dir_of_host
    from .unpack import unpack
    try:
        # Any use of kubectl unpacks k3s' own data; that is what makes it a way to do so early.
        unpack(data_dir_of_host())
    except OSError as failure:
        if os.geteuid() == 0 or env.ROOT:
            print(f"error: {failure}", file=sys.stderr)
            return 1
    if not args.words:
        raise ApiError(0, "", "kubectl (stand-in): a command is needed")
    verb, words = args.words[0], args.words[1:]
    if verb == "version":
        return _version(args)
    if verb == "config" and words[:1] == ["view"]:
        sys.stdout.write(env.read(args.flags.get("kubeconfig") or os.environ.get("KUBECONFIG", "") or env.host("/etc/rancher/k3s/k3s.yaml")))
        return 0
    client = _client(args)
    if verb == "get":
        return get(client, args, words)
    from .kubectl_write import apply, cordon, delete, drain, patch, wait
    if verb in ("apply", "create", "replace"):
        return apply(client, args, verb, words)
    if verb == "delete":
        return delete(client, args, words)
    if verb in ("cordon", "uncordon"):
        return cordon(client, args, verb, words)
    if verb == "drain":
        return drain(client, args, words)
    if verb in ("patch", "label", "annotate", "taint"):
        return patch(client, args, verb, words)
    if verb == "wait" or (verb == "rollout" and words[:1] == ["status"]):
        return wait(client, args, verb, words)
    if verb == "cluster-info":
        client.call("GET", "/version")
        print(f"Kubernetes control plane is running at {client.server}")
        return 0
    raise ApiError(0, "", f'error: unknown command "{verb}" for "kubectl" (stand-in)')
