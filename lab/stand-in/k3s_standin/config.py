"""Configuration as k3s reads it: environment, then config.yaml, then config.yaml.d, then the command line."""
import os

from . import env, log
from .flags import AGENT, DEFAULTS, ENVIRONMENT, SERVER, SHORT
from .yaml_lines import YamlError
from .yaml_mini import load

TRUE = ("true", "1", "t", "yes")


class UsageError(ValueError):
    """A command line or configuration that k3s ends over."""


class Config:
    """The settings of one server or agent. `cfg["key"]` is a str, bool or list of str, by the key's kind."""

    def __init__(self, role: str, values: dict):
        self.role = role
        self.values = values

    def __getitem__(self, key: str):
        if key in self.values:
            return self.values[key]
        if key in DEFAULTS:
            return DEFAULTS[key]
        return {"l": [], "b": False}.get((SERVER | AGENT).get(key, "s"), "")

    def has(self, key: str) -> bool:
        return key in self.values

    @property
    def data(self) -> str:
        return self["data-dir"] if self.has("data-dir") else env.host(self["data-dir"])

    def path(self, *parts: str) -> str:
        return os.path.join(self.data, *parts)

    @property
    def port(self) -> int:
        return int(self["https-listen-port"])

    @property
    def own_url(self) -> str:
        """Where a server reaches itself: nowhere but at bind-address, where that is set."""
        host = self["bind-address"] or "127.0.0.1"
        return f"https://[{host}]:{self.port}" if ":" in host else f"https://{host}:{self.port}"


def _text(value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def read_file(path: str) -> dict:
    """Keys of one file and its .d directory. A later list replaces an earlier one unless the key ends in `+`."""
    merged = {}
    names = [path]
    try:
        extra = [n for n in sorted(os.listdir(path + ".d")) if n.endswith((".yaml", ".yml"))]
        names += [os.path.join(path + ".d", name) for name in extra]
    except OSError:
        pass
    for name in names:
        if not os.path.exists(name):
            continue
        try:
            found = load(env.read(name))
        except YamlError as failure:
            raise UsageError(f"failed to load config file {name}: yaml: {failure}") from None
        if found is not None and not isinstance(found, dict):
            raise UsageError(f"failed to load config file {name}: yaml: cannot unmarshal into a map")
        for key, value in (found or {}).items():
            key = str(key)
            if key.endswith("+"):
                key = key[:-1]
                before = merged.get(key, [])
                before = before if isinstance(before, list) else [before]
                merged[key] = before + (value if isinstance(value, list) else [value])
            else:
                merged[key] = value
    return merged


def _store(values: dict, table: dict, key: str, raw: list) -> None:
    kind = table[key]
    if kind == "l":
        # k3s splits at commas nowhere but in these keys.
        split = key in ("cluster-cidr", "service-cidr", "cluster-dns", "node-ip", "node-external-ip", "tls-san", "disable")
        values[key] = [part for item in raw for part in (item.split(",") if split else [item]) if part]
    elif kind == "b":
        text = raw[-1]
        if text.lower() not in TRUE + ("false", "0", "f", "no", ""):
            raise UsageError(f'invalid value "{text}" for flag -{key}: parse error')
        values[key] = text.lower() in TRUE
    else:
        values[key] = raw[-1]


def parse_args(table: dict, argv: list) -> dict:
    """Flags of the command line as key -> list of texts."""
    found, at = {}, 0
    while at < len(argv):
        word = argv[at]
        at += 1
        if not word.startswith("-") or word == "-":
            continue
        key, sign, value = word.lstrip("-").partition("=")
        key = SHORT.get(key, key)
        if key not in table:
            raise UsageError(f"flag provided but not defined: -{key}")
        if not sign:
            if table[key] == "b":
                value = "true"
            elif at < len(argv):
                value = argv[at]
                at += 1
            else:
                raise UsageError(f"flag needs an argument: -{key}")
        found.setdefault(key, []).append(value)
    return found


def load_config(role: str, argv: list) -> Config:
    """The effective configuration of `k3s server` or `k3s agent`.

    Only a server passes over unknown keys of the file; an agent ends over each ("flag provided but not defined").
    """
    table = SERVER if role == "server" else AGENT
    cli = parse_args(table, argv)
    file = cli.get("config", [""])[-1] or os.environ.get("K3S_CONFIG_FILE") or env.host("/etc/rancher/k3s/config.yaml")
    values = {}
    for name, key in ENVIRONMENT.items():
        if os.environ.get(name) and key in table:
            _store(values, table, key, [os.environ[name]])
    for key, value in read_file(file).items():
        if key not in table:
            if role == "agent":
                raise UsageError(f"flag provided but not defined: -{key}")
            log.warn(f"Unknown flag --{key} found in config.yaml, skipping\n")
            continue
        items = value if isinstance(value, list) else [value]
        if isinstance(value, dict):
            raise UsageError(f"invalid value for key {key}: cannot unmarshal map")
        _store(values, table, key, [_text(item) for item in items] or [""])
    for key, raw in cli.items():
        _store(values, table, key, raw)
    return Config(role, values)


def data_dir_of_host() -> str:
    """The data directory that the tools beside server and agent use: environment, config.yaml, or the default."""
    if os.environ.get("K3S_DATA_DIR"):
        return os.environ["K3S_DATA_DIR"]
    try:
        file = os.environ.get("K3S_CONFIG_FILE") or env.host("/etc/rancher/k3s/config.yaml")
        found = read_file(file).get("data-dir")
    except UsageError as failure:
        log.warn(str(failure))
        found = None
    return str(found) if found else env.host(DEFAULTS["data-dir"])
