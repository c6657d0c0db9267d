"""The command line: which program this is by its name, and which subcommand is asked for."""
import os
import sys

from . import env, version

USAGE = """NAME:
   k3s - Kubernetes, but small and simple (a stand-in for tests: it is not k3s)

USAGE:
   k3s [global options] command [command options]

COMMANDS:
   server, agent, kubectl, crictl, ctr, check-config, token, etcd-snapshot, secrets-encrypt, certificate, completion, help
"""


def main() -> int:
    """Run; gives the exit status."""
    name, args = os.path.basename(sys.argv[0]), sys.argv[1:]
    if name in ("kubectl", "ctr", "crictl"):
        return _tool(name, args)
    if not args or args[0] in ("help", "--help", "-h"):
        print(USAGE)
        return 0
    if args[0] in ("--version", "-v"):
        print(version.banner())
        return 0
    command, rest = args[0], args[1:]
    if command in ("kubectl", "ctr", "crictl"):
        return _tool(command, rest)
    if command in ("server", "agent"):
        return _service(command, rest)
    if command == "check-config":
        from .check_config import check_config
        return check_config()
    if command in ("token", "etcd-snapshot", "certificate", "secrets-encrypt"):
        from . import cluster_cli
        return cluster_cli.run(command, rest)
    print(f"No help topic for '{command}'", file=sys.stderr)
    return 3


def _service(command: str, rest: list) -> int:
    from . import log
    from .config import UsageError, load_config
    _end_on_signal()
    try:
        cfg = load_config(command, rest)
    except UsageError as failure:
        if str(failure).startswith("flag "):
            print(f"Incorrect Usage: {failure}\n", file=sys.stderr)
        log.fatal(f"Error: {failure}")
    if cfg["log"]:
        log.to_file(env.host(cfg["log"]), cfg["alsologtostderr"])
    _rename(f"k3s-{command}")
    _cgroup(cfg)
    if command == "server":
        from .server import Server
        Server(cfg).run()
    else:
        from .agent import run_agent
        run_agent(cfg)
    return 0


def _end_on_signal() -> None:
    """End at once on SIGTERM or SIGINT.

    The kernel may give a signal to any thread, and Python runs handlers in the main one, which sleeps on. The wake-up
    descriptor is written wherever the signal lands, so a thread that reads it is told always.
    """
    import faulthandler
    import signal
    import threading
    # As Go programs do on SIGQUIT: say where every thread is, for the tests of this very program.
    faulthandler.register(signal.SIGQUIT, all_threads=True, chain=False)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)

    def wait() -> None:
        os.read(reader, 1)
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def _rename(name: str) -> None:
    """The name that ps and ss show, as k3s sets it for itself."""
    try:
        with open("/proc/self/comm", "w", encoding="ascii") as file:
            file.write(name)
    except OSError:
        pass


def _cgroup(cfg) -> None:
    """From 1.35 the kubelet refuses cgroup v1 unless its fail-cgroupv1 is false. AIRLIFT_STANDIN_CGROUP (v1, v2) overrides."""
    from . import log
    v2 = os.environ.get("AIRLIFT_STANDIN_CGROUP", "v2" if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else "v1") == "v2"
    if v2 or version.minor() < 35 or cfg["disable-agent"] or "fail-cgroupv1=false" in cfg["kubelet-arg"]:
        return
    log.fatal("Error: failed to run Kubelet: kubelet is configured to not run on a host using cgroup v1. cgroup v1 support is "
              "unsupported and will be removed in a future release; set fail-cgroupv1=false")


def _tool(name: str, args: list) -> int:
    try:
        if name == "kubectl":
            from .kubectl import kubectl
            return kubectl(args)
        from .image_cli import crictl, ctr
        return ctr(args) if name == "ctr" else crictl(args)
    except BrokenPipeError:
        return 141
