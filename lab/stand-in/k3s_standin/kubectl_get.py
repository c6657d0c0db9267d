"""`k3s kubectl get`: raw paths, JSON, names, tables, jsonpath."""
import json
import sys
import urllib.parse

from . import jsonpath
from .kube import ApiError
from .kube_tables import columns
from .resources import find_word


def targets(client, words: list) -> list:
    """(resource, name or empty) pairs from `nodes`, `node a b`, `node/a cm/b`, `deploy,ds`."""
    if not words:
        raise ApiError(0, "", "error: You must specify the type of resource to get.")
    if "/" in words[0]:
        return [(resource(client, word.partition("/")[0]), word.partition("/")[2]) for word in words]
    kinds = [resource(client, word) for word in words[0].split(",")]
    return [(kind, name) for kind in kinds for name in (words[1:] or [""])]


def resource(client, word: str):
    if word == "all":
        word = "pods"
    row = find_word(client.rows(), word)
    if row is None:
        raise ApiError(0, "", f'error: the server doesn\'t have a resource type "{word}"')
    return row


def collect(client, args, words: list) -> list:
    """(resource, objects, whether one was named) of what the words name."""
    everywhere = args.on("all-namespaces", "A")
    namespace = "" if everywhere else args.flags.get("namespace", "default")
    query = {key: value for key, value in (("labelSelector", args.flags.get("selector", "")),
                                           ("fieldSelector", args.flags.get("field-selector", ""))) if value}
    out = []
    for row, name in targets(client, words):
        try:
            if name:
                out.append((row, [client.call("GET", client.path(row, namespace, name))], True))
            else:
                path = client.path(row, namespace) + (f"?{urllib.parse.urlencode(query)}" if query else "")
                found = client.call("GET", path)["items"]
                out.append((row, [{**one, "apiVersion": row.api_version, "kind": row.kind} for one in found], False))
        except ApiError as failure:
            if failure.code != 404 or not args.on("ignore-not-found"):
                raise
    return out


def get(client, args, words: list) -> int:
    """Print what is asked for in the form of -o."""
    if "raw" in args.flags:
        sys.stdout.write(client.raw("GET", args.flags["raw"]).decode())
        return 0
    if args.flags.get("filename"):
        from .manifests import manifests
        words = [f"{one['kind'].lower()}/{one['metadata']['name']}" for one in manifests(args)]
    found = collect(client, args, words)
    form = args.flags.get("output", "")
    objects = [one for _, group, _ in found for one in group]
    if not found and args.on("ignore-not-found"):
        return 0
    single = len(found) == 1 and found[0][2]
    whole = objects[0] if single else {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": objects}
    if form in ("json", "yaml"):
        # JSON is YAML.
        print(json.dumps(whole, indent=4))
    elif form == "name":
        for row, group, _ in found:
            kind = row.kind.lower() + (f".{row.group}" if row.group else "")
            for one in group:
                print(f"{kind}/{one['metadata']['name']}")
    elif form.startswith("jsonpath="):
        sys.stdout.write(jsonpath.render(form.partition("=")[2].strip("'"), whole))
    elif form.startswith("go-template") or form.startswith("custom-columns"):
        raise ApiError(0, "", f"error: the stand-in does not print {form.partition('=')[0]}")
    else:
        _print_tables(args, found, form == "wide")
    return 0


def _print_tables(args, found: list, wide: bool) -> None:
    everywhere = args.on("all-namespaces", "A")
    for row, group, _ in found:
        if not group:
            where = "" if everywhere or not row.namespaced else f" in {args.flags.get('namespace', 'default')} namespace"
            print(f"No resources found{where}", file=sys.stderr)
            continue
        names, narrow, cells = columns(row.kind)
        shown = len(names) if wide else narrow
        rows = [[one["metadata"].get("namespace", "")] * (everywhere and row.namespaced) + cells(one)[:shown] for one in group]
        if not args.on("no-headers"):
            rows.insert(0, ["NAMESPACE"] * (everywhere and row.namespaced) + names[:shown])
        widths = [max(len(line[at]) for line in rows) for at in range(len(rows[0]))]
        for line in rows:
            print("   ".join(cell.ljust(widths[at]) for at, cell in enumerate(line)).rstrip())
