"""HTTPS requests with the cluster's own authorities and certificates."""
import base64
import http.client
import json
import ssl
import urllib.parse


class HttpError(Exception):
    """An answer other than 2xx; `status` and the body's own message."""

    def __init__(self, status: int, reason: str, body: bytes, url: str):
        self.status, self.reason, self.body, self.url = status, reason, body, url
        super().__init__(f"{url}: {status} {reason}")

    def message(self) -> str:
        try:
            return json.loads(self.body).get("message", "")
        except (ValueError, AttributeError):
            return self.body.decode(errors="replace").strip()


def context(ca: str = "", cert: str = "", key: str = "", insecure: bool = False, names: bool = False) -> ssl.SSLContext:
    """A client context. `ca`, `cert` and `key` are paths; with `insecure` nothing is verified, without `names` only the CA.

    k3s' own clients go through a load balancer on 127.0.0.1, so they do not see under which name a server was asked.
    """
    made = ssl.create_default_context(cafile=ca or None)
    made.check_hostname = names and not insecure
    if insecure:
        made.verify_mode = ssl.CERT_NONE
    if cert:
        made.load_cert_chain(cert, key or None)
    return made


#: Connections that are kept: (context, host, port) -> those that nobody uses now.
_IDLE = {}


def request(method: str, url: str, ctx: ssl.SSLContext, body=None, headers: dict = None, basic: str = "",
            timeout: float = 5, keep: bool = False) -> bytes:
    """One request; the body of a 2xx answer. OSError when there is no connection. `keep`: for who asks again and again."""
    parts = urllib.parse.urlsplit(url)
    send = dict(headers or {})
    if basic:
        send["Authorization"] = "Basic " + base64.b64encode(basic.encode()).decode()
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
        send.setdefault("Content-Type", "application/json")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    idle = _IDLE.setdefault((ctx, parts.hostname, parts.port), []) if keep else []
    while True:
        try:
            made, fresh = idle.pop(), False
            made.sock.settimeout(timeout)
        except IndexError:
            made, fresh = http.client.HTTPSConnection(parts.hostname, parts.port or 443, timeout=timeout, context=ctx), True
        try:
            made.request(method, path, body=body, headers=send)
            answer = made.getresponse()
            data = answer.read()
            break
        except TimeoutError:
            made.close()
            raise
        except (OSError, http.client.HTTPException) as failure:
            made.close()
            # One that was kept may have been closed at the other end since; a new one tells how things are.
            if not fresh:
                continue
            if isinstance(failure, OSError):
                raise
            raise OSError(f"{url}: {failure!r}") from failure
    if keep and made.sock is not None:
        idle.append(made)
    else:
        made.close()
    if answer.status >= 300:
        raise HttpError(answer.status, answer.reason, data, url)
    return data


def request_json(method: str, url: str, ctx: ssl.SSLContext, **rest):
    """The same, with a JSON answer."""
    data = request(method, url, ctx, **rest)
    return json.loads(data) if data.strip() else None
