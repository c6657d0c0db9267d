"""etcd's JSON gateway on loopback, behind the client certificates of etcd: who is a member, and the promotion of learners."""
import threading
import zlib

from . import env
from .bootstrap import BootstrapError
from .config import Config
from .etcd import Etcd, NoQuorum
from .kube import ApiError
from .store import Conflict
from .supervisor import Listener, Request, server_tls

PORT = 2382


def described(member: dict) -> dict:
    """A member as etcd's API shows it; absent is false, and identities are numbers that JSON holds as text."""
    learner = {"isLearner": True} if member["learner"] else {}
    return {"ID": str(zlib.crc32(member["name"].encode())), "name": member["name"],
            "peerURLs": [f"https://{member['address'].rsplit(':', 1)[0]}:2380"], **learner}


def listen(cfg: Config, etcd: Etcd) -> None:
    """Serve in the background. Off, but for the port of a test, where several servers share one computer."""
    port = env.knobs()["gateway_port"] or (PORT if env.knobs()["listen_ports"] else 0)
    if not port:
        return
    tls = cfg.path("server/tls/etcd")
    context = server_tls(f"{tls}/server-client.crt", f"{tls}/server-client.key", f"{tls}/server-ca.crt")
    try:
        listener = Listener("127.0.0.1", port, lambda request: _answer(etcd, request), context)
    except OSError as failure:
        raise BootstrapError(f"listen tcp 127.0.0.1:{port}: {failure.strerror}") from None
    threading.Thread(target=listener.serve_forever, daemon=True).start()


def _answer(etcd: Etcd, request: Request) -> None:
    if request.user is None:
        raise ApiError(401, "Unauthorized", "a certificate of an etcd client is needed")
    body = request.json() or {}
    if request.method != "POST" or request.url.path not in ("/v3/cluster/member/list", "/v3/cluster/member/promote"):
        return request.send(404, {"code": 5, "message": "Not Found"})
    try:
        if not etcd.quorum():
            raise NoQuorum("etcdserver: rpc not supported for learner, or no leader")
        if request.url.path.endswith("/promote"):
            _promote(etcd, body.get("ID"))
    except ValueError as failure:
        return request.send(400, {"code": 9, "message": str(failure)})
    except (NoQuorum, Conflict) as failure:
        return request.send(503, {"code": 14, "message": str(failure)})
    return request.send(200, {"header": {"member_id": described(etcd.member(etcd.me))["ID"]},
                              "members": [described(member) for member in etcd.members()]})


def _promote(etcd: Etcd, identity) -> None:
    member = next((one for one in etcd.members() if described(one)["ID"] == identity), None)
    if member is None:
        raise ValueError("etcdserver: member not found")
    if not member["learner"]:
        raise ValueError("etcdserver: can only promote a learner member")
    if not etcd.in_sync(member):
        raise ValueError("etcdserver: can only promote a learner member which is in sync with leader")
    etcd.promote(member["name"])
