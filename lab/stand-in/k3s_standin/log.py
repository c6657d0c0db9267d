"""Logs in logrus' text form, as k3s writes them, and the systemd notification."""
import datetime
import os
import socket
import sys
import threading

_lock = threading.Lock()
_outputs = [sys.stderr]


def to_file(path: str, also_stderr: bool) -> None:
    """Write to a file from now on, as k3s does with `log`; also to standard error with `alsologtostderr`."""
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    # Line buffered, and appended to, as k3s' own logger does: it rotates at 50 MB, which no test reaches.
    file = open(path, "a", buffering=1, encoding="utf-8")  # pylint: disable=consider-using-with
    _outputs[:] = [file, sys.stderr] if also_stderr else [file]


def _write(level: str, message: str) -> None:
    stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    quoted = message.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    with _lock:
        for output in _outputs:
            try:
                output.write(f'time="{stamp}" level={level} msg="{quoted}"\n')
                output.flush()
            except (OSError, ValueError):
                pass


def info(message: str) -> None:
    _write("info", message)


def warn(message: str) -> None:
    _write("warning", message)


def error(message: str) -> None:
    _write("error", message)


def fatal(message: str) -> None:
    """Log at level fatal and end the whole process at once with status 1, as logrus.Fatal does, from any thread."""
    _write("fatal", message)
    os._exit(1)


def notify(state: str = "READY=1") -> None:
    """Tell systemd (Type=notify). Nothing happens where NOTIFY_SOCKET is not set."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        try:
            sock.sendto(state.encode(), address)
        except OSError as failure:
            warn(f"Failed to notify systemd: {failure}")
