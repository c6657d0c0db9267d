"""Bootstrap data: the cluster's authorities, on disk and, sealed with the token, in the datastore."""
import hashlib
import json
import os
import secrets

from . import env, pki
from .config import Config
from .flags import CRITICAL
from .tokens import TokenError, parse, password_of

AUTHORITIES = ("server-ca", "client-ca", "request-header-ca", "etcd/server-ca", "etcd/peer-ca")
PREFIX = "/bootstrap/"


class BootstrapError(RuntimeError):
    """A start that k3s ends; the text is k3s' own."""


def given_token(cfg: Config, key: str = "token") -> str:
    """token or token-file as configured, or an empty string. The file wins, also over K3S_TOKEN."""
    if cfg[f"{key}-file"]:
        if not os.path.exists(cfg[f"{key}-file"]):
            raise BootstrapError(f"open {cfg[key + '-file']}: no such file or directory")
        return env.read(cfg[f"{key}-file"]).strip()
    return cfg[key].strip() if cfg[key] else ""


def server_password(cfg: Config) -> str:
    """The password part of the server token: configured, as kept on disk, or fresh."""
    try:
        given = given_token(cfg)
        if given:
            if given.startswith("K10") and not os.path.exists(cfg.path("server/tls/server-ca.crt")) and not cfg["server"]:
                raise BootstrapError("failed to validate token: token CA hash given, but there is no Cluster CA yet")
            _check_hash(cfg, given)
            return password_of(given)
        kept = env.read(cfg.path("server/token")).strip()
        return password_of(kept) if kept else secrets.token_hex(16)
    except TokenError as failure:
        raise BootstrapError(str(failure)) from None


def _check_hash(cfg: Config, token: str) -> None:
    path = cfg.path("server/tls/server-ca.crt")
    wanted = parse(token).ca_hash if token.startswith("K10") else ""
    if wanted and os.path.exists(path):
        found = pki.ca_hash(env.read(path).encode())
        if found != wanted:
            raise BootstrapError(f"token CA hash does not match the Cluster CA certificate hash: {wanted} != {found}")


def critical(cfg: Config) -> dict:
    """The settings that every server must share."""
    found = {key: cfg[key] for key in CRITICAL if key != "agent-token"}
    found["agent-token"] = hashlib.sha256(given_token(cfg, "agent-token").encode()).hexdigest()
    found["disable-servicelb"] = "servicelb" in cfg["disable"]
    return found


def make_authorities(cfg: Config) -> None:
    for name in AUTHORITIES:
        pki.authority(cfg.path("server/tls"), name)
    path = cfg.path("server/tls/service.key")
    if not os.path.exists(path):
        env.write(path, pki.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout"), 0o600)


def collect(cfg: Config) -> dict:
    """Bootstrap data from disk."""
    names = [f"{name}.{end}" for name in AUTHORITIES for end in ("crt", "key")] + ["service.key"]
    return {"files": {name: env.read(cfg.path("server/tls", name)) for name in names}, "config": critical(cfg),
            "agentToken": given_token(cfg, "agent-token")}


def lay_out(cfg: Config, data: dict) -> None:
    """Bootstrap data onto disk, where it is missing or differs."""
    for name, text in data["files"].items():
        path = cfg.path("server/tls", name)
        if env.read(path) != text:
            env.write(path, text, 0o600 if name.endswith(".key") else 0o644)


def compare(cfg: Config, data: dict) -> list:
    """Names of critical settings that differ from the cluster's."""
    mine, theirs = critical(cfg), data["config"]
    return [key for key in mine if mine[key] != theirs.get(key)]


def slot(password: str) -> str:
    return PREFIX + hashlib.sha256(password.encode()).hexdigest()[:12]


def find(store, password: str):
    """Bootstrap data of the datastore, or None. BootstrapError when it is sealed with another token."""
    value, revision = store.get(slot(password))
    if revision:
        try:
            return json.loads(pki.unseal(password, value["sealed"].encode()))
        except (pki.PkiError, ValueError):
            raise BootstrapError("bootstrap data already found and encrypted with different token") from None
    if store.list(PREFIX):
        raise BootstrapError("bootstrap data already found and encrypted with different token")
    return None


def sealed(cfg: Config, password: str) -> dict:
    """The operation that saves bootstrap data."""
    text = pki.seal(password, json.dumps(collect(cfg)).encode()).decode()
    return {"key": slot(password), "value": {"sealed": text}}


def write_tokens(cfg: Config, password: str) -> None:
    """server/token, node-token, agent-token, as k3s lays them out."""
    pem = env.read(cfg.path("server/tls/server-ca.crt")).encode()
    full = f"K10{pki.ca_hash(pem)}::server:{password}\n"
    env.write(cfg.path("server/token"), full, 0o600)
    _link("token", cfg.path("server/node-token"))
    agent = given_token(cfg, "agent-token")
    if agent:
        if os.path.islink(cfg.path("server/agent-token")):
            os.unlink(cfg.path("server/agent-token"))
        env.write(cfg.path("server/agent-token"), f"K10{pki.ca_hash(pem)}::node:{agent}\n", 0o600)
    else:
        _link("token", cfg.path("server/agent-token"))


def _link(target: str, path: str) -> None:
    full = os.path.join(os.path.dirname(path), target)
    if os.path.islink(path) and os.readlink(path) == full:
        return
    if os.path.lexists(path):
        os.unlink(path)
    os.symlink(full, path)
