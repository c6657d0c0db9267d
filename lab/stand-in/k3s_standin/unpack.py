"""The data that k3s unpacks at its first use: data/<hash>/bin, and the links beside it."""
import fcntl
import hashlib
import os
import stat
import sys

from . import env, version

#: Fake programs: a shim that lives until it is killed, and names that scripts look for.
_SHIM = "#!/bin/sh\n# A long-lived process that only stands for a running pod.\nexec sleep 2147483647\n"
_PROGRAMS = ("containerd", "runc", "cni", "kubectl", "crictl", "ctr", "containerd-shim-runc-v2")


def data_hash() -> str:
    """The name of this version's directory."""
    return hashlib.sha256(f"stand-in {version.VERSION}".encode()).hexdigest()


def unpack(data: str) -> str:
    """Make <data>/data/<hash>/bin, current and previous; gives the bin directory."""
    base = os.path.join(data, "data")
    target = os.path.join(base, data_hash())
    os.makedirs(base, exist_ok=True)
    with open(os.path.join(base, ".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(os.path.join(target, ".standin-complete")):
            import shutil
            shutil.rmtree(target + "-tmp", ignore_errors=True)
            os.makedirs(os.path.join(target + "-tmp", "bin/aux"))
            for name in _PROGRAMS:
                path = env.write(os.path.join(target + "-tmp", "bin", name), _SHIM if "shim" in name else "#!/bin/sh\nexit 0\n", 0o755)
                os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
            # The shim's process must show its own path, as the real one does: a copy of sleep, not a script.
            sleep = shutil.which("sleep")
            if sleep:
                shutil.copy(os.path.realpath(sleep), os.path.join(target + "-tmp", "bin/containerd-shim-runc-v2"))
            env.write(os.path.join(target + "-tmp", ".standin-complete"), "")
            shutil.rmtree(target, ignore_errors=True)
            os.rename(target + "-tmp", target)
        current, previous = os.path.join(base, "current"), os.path.join(base, "previous")
        if os.path.islink(current) and os.readlink(current) != target:
            _link(os.readlink(current), previous)
        _link(target, current)
        os.makedirs(os.path.join(base, "cni"), exist_ok=True)
        for name in ("bridge", "flannel", "host-local", "loopback", "portmap"):
            path = os.path.join(base, "cni", name)
            if os.path.islink(path) or not os.path.exists(path):
                _link(os.path.join(base, "current/bin/cni"), path)
    return os.path.join(target, "bin")


def _link(target: str, path: str) -> None:
    if os.path.islink(path) and os.readlink(path) == target:
        return
    temp = f"{path}.tmp{os.getpid()}"
    os.symlink(target, temp)
    os.replace(temp, path)


def binary() -> str:
    """The file that runs: the packed k3s, or the interpreter's script in a checkout."""
    return os.path.realpath(sys.argv[0])
