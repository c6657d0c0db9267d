"""`k3s token`, `etcd-snapshot`, `certificate` and `secrets-encrypt`: clients of the running server, or readers of its files."""
import datetime
import glob
import json
import os
import shutil
import sys
import time

from . import env, http_client, log, pki, tokens
from .bootstrap import BootstrapError, given_token
from .config import Config, UsageError, load_config, read_file
from .kube import ApiError


class CliError(Exception):
    """A subcommand's end with status 1."""


def run(command: str, args: list) -> int:
    """One of the subcommands; gives the exit status."""
    words = [word for word in args if not word.startswith("-")]
    options = _options(args)
    try:
        cfg = _config(options)
        verb = words[0] if words else ""
        if command == "token":
            return _token(cfg, verb, words[1:], options)
        if command == "etcd-snapshot":
            return _snapshot(cfg, verb, words[1:], options)
        if command == "certificate":
            return _certificate(cfg, verb, options)
        print("Encryption Status: Disabled, no configuration file found")
        return 0
    except (CliError, UsageError, BootstrapError, ApiError) as failure:
        log._write("fatal", f"Error: {failure}")
        return 1


_VALUES = ("data-dir", "d", "ttl", "description", "groups", "usages", "o", "output", "name", "dir", "etcd-snapshot-dir", "token", "t",
           "new-token", "server", "s", "etcd-server", "etcd-token", "snapshot-retention", "etcd-snapshot-retention", "service", "kubeconfig")


def _options(args: list) -> dict:
    out, at = {}, 0
    while at < len(args):
        word = args[at]
        at += 1
        if not word.startswith("-"):
            continue
        key, sign, value = word.lstrip("-").partition("=")
        if not sign and key in _VALUES and at < len(args):
            value = args.pop(at)
        out[key] = value if sign or value else "true"
    return out


def _config(options: dict) -> Config:
    file = os.environ.get("K3S_CONFIG_FILE") or env.host("/etc/rancher/k3s/config.yaml")
    try:
        cfg = load_config("server", [])
    except UsageError:
        cfg = Config("server", {key: str(value) for key, value in read_file(file).items() if key == "data-dir"})
    if options.get("data-dir") or options.get("d"):
        cfg.values["data-dir"] = options.get("data-dir") or options["d"]
    return cfg


def _ask(cfg: Config, method: str, path: str, body, token: str = ""):
    given = token or env.read(cfg.path("server/token")).strip() or given_token(cfg)
    if not given:
        raise CliError(f"open {cfg.path('server/token')}: no such file or directory")
    ctx = http_client.context(cfg.path("server/tls/server-ca.crt"))
    try:
        return http_client.request_json(method, f"{cfg.own_url}{path}", ctx, body=body,
                                        basic=f"server:{tokens.password_of(given)}", timeout=20)
    except http_client.HttpError as failure:
        raise CliError(f"see server log for details: {failure}: {failure.message()}") from None
    except OSError as failure:
        raise CliError(f'Get "{cfg.own_url}{path}": dial tcp: {failure}') from None


# -- tokens -------------------------------------------------------------------------------------------------------


def _seconds(text: str) -> float:
    total, number = 0.0, ""
    for char in text:
        if char.isdigit() or char == ".":
            number += char
        else:
            total += float(number or 0) * {"h": 3600, "m": 60, "s": 1}.get(char, 0)
            number = ""
    return total + float(number or 0)


def _token(cfg: Config, verb: str, names: list, options: dict) -> int:
    if verb == "generate":
        print(tokens.bootstrap_token())
        return 0
    if verb == "rotate":
        old = options.get("token") or options.get("t") or env.read(cfg.path("server/token")).strip()
        new = options.get("new-token") or os.urandom(16).hex()
        _ask(cfg, "PUT", "/v1-k3s/token", {"newToken": new}, old)
        print("Token rotated, restart k3s nodes with new token", file=sys.stderr)
        return 0
    from .kubectl_client import Client
    client = Client(options.get("kubeconfig", ""))
    secrets = "/api/v1/namespaces/kube-system/secrets"
    if verb == "create":
        token = names[0] if names else tokens.bootstrap_token()
        ttl = _seconds(options.get("ttl", "24h"))
        import base64
        data = {"token-id": token.split(".")[0], "token-secret": token.split(".")[1], "description": options.get("description", ""),
                "expiration": "" if not ttl else _stamp(time.time() + ttl)}
        client.call("POST", secrets, {"metadata": {"name": f"bootstrap-token-{data['token-id']}"}, "type": "bootstrap.kubernetes.io/token",
                                      "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}})
        ca = env.read(cfg.path("server/tls/server-ca.crt")).encode()
        print(f"K10{pki.ca_hash(ca)}::{token}")
        return 0
    if verb in ("list", "ls", ""):
        return _token_list(client, secrets, options)
    if verb == "delete":
        for name in names:
            client.call("DELETE", f"{secrets}/bootstrap-token-{name.split('.')[0]}")
            print(f'bootstrap token "{name}" deleted')
        return 0
    raise CliError(f"No help topic for '{verb}'")


def _stamp(when: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))


def _token_list(client, secrets: str, options: dict) -> int:
    import base64
    found = []
    for one in client.call("GET", secrets)["items"]:
        if one.get("type") == "bootstrap.kubernetes.io/token":
            data = {key: base64.b64decode(value).decode() for key, value in one["data"].items()}
            found.append({"token": f"{data['token-id']}.{data['token-secret']}", "expires": data["expiration"], "description": data["description"]})
    if (options.get("o") or options.get("output")) == "json":
        print(json.dumps(found))
        return 0
    print(f"{'TOKEN':25} {'TTL':10} {'EXPIRES':22} {'USAGES':26} DESCRIPTION")
    for one in found:
        print(f"{one['token']:25} {'<forever>' if not one['expires'] else '':10} {one['expires'] or '<never>':22} {'authentication,signing':26} {one['description']}")
    return 0


# -- snapshots ----------------------------------------------------------------------------------------------------


def _snapshot(cfg: Config, verb: str, names: list, options: dict) -> int:
    body = {"operation": {"": "list", "ls": "list", "rm": "delete"}.get(verb, verb), "name": names,
            "dir": options.get("dir") or options.get("etcd-snapshot-dir")}
    if body["operation"] not in ("save", "list", "delete", "prune"):
        raise CliError(f"No help topic for '{verb}'")
    if options.get("name") and verb in ("save", "prune"):
        body["name"] = [options["name"]]
    body["retention"] = options.get("snapshot-retention") or options.get("etcd-snapshot-retention")
    found = _ask(cfg, "POST", "/db/snapshot", body, options.get("etcd-token", "") or options.get("token", ""))
    if verb == "save":
        for name in found["created"]:
            log.info(f"Snapshot {name} saved.")
    if verb in ("delete", "rm", "prune"):
        missing = [name for name in names if name not in found["deleted"]] if verb != "prune" else []
        for name in found["deleted"]:
            log.info(f"Snapshot {name} deleted.")
        return 1 if missing else 0
    if body["operation"] == "list":
        if (options.get("o") or options.get("output")) == "json":
            items = [{"metadata": {"name": f"local-{one['name'].lower()}", "creationTimestamp": one["created"]},
                      "spec": {"snapshotName": one["name"], "location": one["location"], "nodeName": one["nodeName"]},
                      "status": {"size": str(one["size"]), "creationTime": one["created"], "readyToUse": True}} for one in found["items"]]
            print(json.dumps({"apiVersion": "k3s.cattle.io/v1", "kind": "ETCDSnapshotFileList", "metadata": {}, "items": items}))
        else:
            print("Name Location Size Created")
            for one in found["items"]:
                print(f"{one['name']} {one['location']} {one['size']} {one['created']}")
    return 0


# -- certificates -------------------------------------------------------------------------------------------------


def _certificate(cfg: Config, verb: str, options: dict) -> int:
    names = sorted(glob.glob(cfg.path("server/tls/*.crt")) + glob.glob(cfg.path("server/tls/etcd/*.crt")) + glob.glob(cfg.path("agent/*.crt")))
    if verb == "check":
        if not names:
            raise CliError(f"stat {cfg.path('server/tls')}: no such file or directory")
        today = datetime.datetime.now(datetime.timezone.utc)
        rows = []
        for path in names:
            ends = pki.expiry(path)
            left = (ends - today).days
            status = "EXPIRED" if left < 0 else "WARNING" if left < 120 else "OK"
            rows.append((os.path.basename(path), pki.subject_of(path), "CertSign" if "-ca" in path else "ServerAuth,ClientAuth",
                         ends.strftime("%b %d, %Y %H:%M UTC"), f"{left} days", status))
        if (options.get("o") or options.get("output")) == "table":
            print(f"{'FILENAME':30} {'SUBJECT':34} {'USAGES':24} {'EXPIRES':24} {'RESIDUAL TIME':14} STATUS")
            for row in rows:
                print(f"{row[0]:30} {row[1]:34} {row[2]:24} {row[3]:24} {row[4]:14} {row[5]}")
        else:
            for row in rows:
                log.info(f"{row[0]}: certificate CN={row[1]} is {'ok' if row[5] == 'OK' else row[5].lower()}, expires at {row[3]}")
        return 0
    if verb == "rotate":
        aside = cfg.path(f"server/tls-{int(time.time())}")
        leaves = [path for path in names if not path.endswith("-ca.crt")]
        if not leaves:
            raise CliError(f"stat {cfg.path('server/tls')}: no such file or directory")
        os.makedirs(aside, mode=0o700)
        for path in leaves:
            for one in (path, path[:-4] + ".key"):
                if os.path.exists(one):
                    shutil.move(one, os.path.join(aside, os.path.relpath(one, cfg.data).replace("/", "_")))
        log.info(f"Successfully backed up certificates to {aside}, please restart k3s server or agent to rotate certificates")
        return 0
    raise CliError(f"No help topic for '{verb}'")
