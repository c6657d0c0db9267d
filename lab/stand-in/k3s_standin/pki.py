"""Certificates, made by the openssl command: authorities as k3s has them, and leaves signed by them."""
import datetime
import hashlib
import ipaddress
import os
import subprocess
import tempfile
import time

_CONFIG = """[req]
distinguished_name=dn
prompt=no
[dn]
[v3]
"""


class PkiError(RuntimeError):
    """openssl failed; the text is its own."""


def openssl(*args: str, data: bytes = b"", extra_env: dict = None) -> bytes:
    """Run openssl and give its stdout."""
    done = subprocess.run(["openssl", *args], input=data, capture_output=True, check=False,
                          env={**os.environ, **(extra_env or {})})
    if done.returncode:
        raise PkiError(done.stderr.decode(errors="replace").strip()[-400:])
    return done.stdout


def _request(crt: str, key: str, subject: str, days: int, extensions: list, signer: tuple = ()) -> None:
    os.makedirs(os.path.dirname(crt), exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".cnf") as file:
        file.write(_CONFIG + "\n".join(extensions) + "\n")
        file.flush()
        sign = ["-CA", signer[0], "-CAkey", signer[1]] if signer else []
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256",
                "-config", file.name, "-extensions", "v3", "-subj", subject, "-days", str(days),
                "-keyout", key, "-out", crt, *sign)
    os.chmod(key, 0o600)


def authority(directory: str, name: str) -> None:
    """`name`.crt and `name`.key in the directory, for ten years, unless they are there."""
    crt, key = (os.path.join(directory, f"{name}.{end}") for end in ("crt", "key"))
    if os.path.exists(crt) and os.path.exists(key):
        return
    subject = f"/CN=k3s-{name.replace('/', '-')}@{int(time.time())}"
    _request(crt, key, subject, 3650, ["basicConstraints=critical,CA:TRUE",
                                       "keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign",
                                       "subjectKeyIdentifier=hash"])


def leaf(directory: str, ca: str, name: str, subject: str, sans: list = (), out: str = "") -> tuple:
    """A certificate signed by the authority `ca` of the directory; gives the paths of certificate and key."""
    base = os.path.join(out or directory, name)
    kinds = "serverAuth,clientAuth" if sans else "clientAuth"
    extensions = ["basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature,keyEncipherment",
                  f"extendedKeyUsage={kinds}", "authorityKeyIdentifier=keyid"]
    if sans:
        extensions.append("subjectAltName=" + ",".join(_alternative(san) for san in dict.fromkeys(sans)))
    signer = (os.path.join(directory, f"{ca}.crt"), os.path.join(directory, f"{ca}.key"))
    _request(f"{base}.crt", f"{base}.key", subject, 365, extensions, signer)
    return f"{base}.crt", f"{base}.key"


def _alternative(name: str) -> str:
    try:
        ipaddress.ip_address(name)
        return f"IP:{name}"
    except ValueError:
        return f"DNS:{name}"


def ca_hash(pem: bytes) -> str:
    """The hash in a K10 token: SHA-256 over the PEM bytes of a single self-signed certificate."""
    return hashlib.sha256(pem).hexdigest()


def expiry(crt: str) -> datetime.datetime:
    """When a certificate ends, in UTC."""
    text = openssl("x509", "-noout", "-enddate", "-in", crt).decode().strip().partition("=")[2]
    return datetime.datetime.strptime(text, "%b %d %H:%M:%S %Y %Z").replace(tzinfo=datetime.timezone.utc)


def subject_of(crt: str) -> str:
    """The subject's common name."""
    text = openssl("x509", "-noout", "-subject", "-nameopt", "multiline", "-in", crt).decode()
    for line in text.splitlines():
        if "commonName" in line:
            return line.partition("=")[2].strip()
    return ""


def seal(secret: str, data: bytes) -> bytes:
    """Encrypt with a passphrase, as bootstrap data is in the datastore."""
    return openssl("enc", "-aes-256-cbc", "-pbkdf2", "-a", "-A", "-pass", "env:STANDIN_PASS", data=data,
                   extra_env={"STANDIN_PASS": secret})


def unseal(secret: str, data: bytes) -> bytes:
    """The opposite of seal; PkiError when the passphrase is another one."""
    return openssl("enc", "-d", "-aes-256-cbc", "-pbkdf2", "-a", "-A", "-pass", "env:STANDIN_PASS", data=data,
                   extra_env={"STANDIN_PASS": secret})
