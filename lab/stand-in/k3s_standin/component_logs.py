"""How the parts of Kubernetes in one k3s want to log: the first that starts decides, and one that differs ends them all."""
from . import log
from .config import Config

SETTINGS = ("v", "vmodule", "logging-format", "log-flush-frequency")
AGENT = ("kubelet", "kube-proxy")
SERVER = ("kube-apiserver", "kube-controller-manager", "kube-scheduler") + AGENT


def check(cfg: Config) -> None:
    """End as k3s does where `…-arg` tells one part to log in another way than the others."""
    parts = [name for name in (SERVER if cfg.role == "server" else AGENT) if not cfg[f"disable-{name}"]]
    first = _settings(cfg, parts[0])
    for name in parts[1:]:
        if _settings(cfg, name) != first:
            log.error(f'Shutdown request received: "{name.removeprefix("kube-")} exited: initialize logging: the logging '
                      f'configuration should not be changed after setting it once (- old setting, + new setting): '
                      f'- {first}, + {_settings(cfg, name)}"')
            log.fatal("failed to start controllers: failed to create new server context: context canceled")


def _settings(cfg: Config, part: str) -> dict:
    found = {key: cfg[key] for key in ("v", "vmodule") if cfg[key]}
    for argument in cfg[f"{part}-arg"]:
        key, _, value = argument.lstrip("-").partition("=")
        if key in SETTINGS:
            found[key] = value
    return found
