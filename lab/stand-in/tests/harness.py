"""Stand-in nodes in temporary directories, on free ports, with short delays."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from signal import SIGQUIT as QUIT

HERE = pathlib.Path(__file__).parent.parent
QUICK = {"listen_ports": False, "boot_ms": 200, "join_ms": 50, "ready_ms": 100, "etcd_ms": 100, "promote_ms": 300, "note_ms": 100,
         "addon_ms": 100, "heartbeat_ms": 300, "lost_ms": 2500, "retry_ms": 300, "reregister_ms": 1500}
_built = {}


def build(version: str = "v1.33.1+k3s1") -> pathlib.Path:
    """The directory of a built release; each version is built once."""
    if version not in _built:
        out = pathlib.Path(tempfile.mkdtemp(prefix="standin-build-"))
        subprocess.run([sys.executable, HERE / "pack.py", out, version], check=True)
        _built[version] = out
    return _built[version]


def tearDownModule() -> None:
    for path in _built.values():
        shutil.rmtree(path, ignore_errors=True)
    _built.clear()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Node:
    """One node: its root directory, its configuration, its process."""

    def __init__(self, name: str, role: str, config: str, version: str = "v1.33.1+k3s1", images: bool = True, **knobs):
        self.name, self.role, self.release = name, role, build(version)
        self.root = pathlib.Path(tempfile.mkdtemp(prefix=f"standin-{name}-"))
        self.port = free_port() if role == "server" else 0
        self.process = None
        self.data = self.root / "var/lib/rancher/k3s"
        self.set_knobs(**knobs)
        (self.root / "etc/resolv.conf").write_text("nameserver 192.0.2.1\n")
        self.configure(config)
        if images:
            (self.data / "agent/images").mkdir(parents=True)
            shutil.copy(self.release / "k3s-airgap-images-amd64.tar", self.data / "agent/images")

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def set_knobs(self, **knobs) -> None:
        path = self.root / "etc/rancher/standin.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**QUICK, **knobs}))

    def configure(self, config: str) -> None:
        path = self.root / "etc/rancher/k3s/config.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        listen = f"https-listen-port: {self.port}\n" if self.role == "server" else ""
        own = "" if "node-ip:" in config else "node-ip: 127.0.0.1\n"
        path.write_text(f"node-name: {self.name}\n{own}{listen}{config}")

    def environment(self, **more: str) -> dict:
        # A KUBECONFIG of whoever runs the tests would lead kubectl elsewhere.
        return {**os.environ, "KUBECONFIG": "", "AIRLIFT_STANDIN_ROOT": str(self.root), "AIRLIFT_STANDIN_CGROUP": "v2", **more}

    def start(self, *args: str, **more: str) -> "Node":
        with open(self.root / "log", "a", encoding="utf-8") as log:
            self.process = subprocess.Popen([self.release / "k3s", self.role, *args], env=self.environment(**more),
                                            stderr=log, stdout=subprocess.DEVNULL)
        return self

    def stop(self, signal: str = "terminate") -> None:
        if self.process:
            getattr(self.process, signal)()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.send_signal(QUIT)
                time.sleep(0.5)
                self.process.kill()
                raise AssertionError(f"{self.name} did not end within 10 s of {signal}") from None
            finally:
                self.process = None

    def k3s(self, *args: str, data: str = None) -> subprocess.CompletedProcess:
        return subprocess.run([self.release / "k3s", *args], env=self.environment(), input=data, capture_output=True, text=True, check=False)

    def kubectl(self, *args: str, data: str = None) -> str:
        """stdout and stderr together; a failing command does not raise."""
        done = self.k3s("kubectl", *args, data=data)
        return done.stdout + done.stderr

    def log(self) -> str:
        return (self.root / "log").read_text(encoding="utf-8")

    def token(self) -> str:
        return (self.data / "server/token").read_text(encoding="utf-8").strip()


class Case(unittest.TestCase):
    """Nodes are stopped and removed when a test ends; their logs are shown when it failed."""

    def setUp(self) -> None:
        self.nodes = []

    def tearDown(self) -> None:
        for node in self.nodes:
            node.stop("kill")
        if any(error for _, error in getattr(self._outcome, "errors", [])) or self._failed():
            for node in self.nodes:
                print(f"--- log of {node.name}\n{node.log()[-2500:] if (node.root / 'log').exists() else ''}", file=sys.stderr)
        for node in self.nodes:
            shutil.rmtree(node.root, ignore_errors=True)

    def _failed(self) -> bool:
        result = getattr(self._outcome, "result", None)
        return any(case is self for case, _ in getattr(result, "failures", []) + getattr(result, "errors", []))

    def node(self, name: str, role: str = "server", config: str = "token: secret\n", **rest) -> Node:
        made = Node(name, role, config, **rest)
        self.nodes.append(made)
        return made

    def until(self, what, seconds: float = 60):
        """The first true value of a function, or a failure."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            value = what()
            if value:
                return value
            time.sleep(0.1)
        self.fail(f"did not come true in {seconds} s")
        return None

    def ready(self, on: Node, *names: str) -> None:
        """Until every named Node is Ready as seen from a server."""
        path = '{range .items[*]}{.metadata.name}={.status.conditions[?(@.type=="Ready")].status} {end}'
        self.until(lambda: all(f"{name}=True" in on.kubectl("get", "nodes", "-o", f"jsonpath={path}").split() for name in names))

    def says(self, node: Node, text: str, seconds: float = 60) -> None:
        """Until the node's log has a text."""
        self.until(lambda: text in node.log(), seconds)

    def dies(self, node: Node, text: str) -> None:
        """Until the process has ended with a failure and said a text."""
        self.until(lambda: node.process.poll() is not None)
        self.assertNotEqual(node.process.returncode, 0)
        self.assertIn(text, node.log())
