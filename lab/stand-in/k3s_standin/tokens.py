"""Join tokens: their forms, and what each may be used for."""
import re
import secrets
from dataclasses import dataclass


class TokenError(ValueError):
    """A token that k3s refuses; the text is k3s' own."""


@dataclass
class Token:
    """`ca_hash` is empty in the short form; `user` is server, node, or empty for a bootstrap token."""
    ca_hash: str
    user: str
    password: str


def parse(text: str) -> Token:
    """Take a token apart as the joining side does."""
    text = text.strip()
    if not text:
        raise TokenError("token must not be empty")
    if not text.startswith("K10"):
        return Token("", "", text)
    head, sign, rest = text[3:].partition("::")
    if len(head) != 64:
        raise TokenError("invalid token CA hash length")
    if not sign:
        raise TokenError("invalid token format")
    user, sign, password = rest.partition(":")
    if not sign:
        if re.fullmatch(r"[a-z0-9]{6}\.[a-z0-9]{16}", rest):
            return Token(head, "", rest)
        raise TokenError("invalid token format")
    return Token(head, user, password)


def password_of(text: str) -> str:
    """The password of a server token given in either form."""
    text = text.strip()
    if not text.startswith("K10"):
        if "::" in text:
            raise TokenError("failed to normalize server token; must be in format "
                             "K10<CA-HASH>::<USERNAME>:<PASSWORD> or <PASSWORD>")
        return text
    token = parse(text)
    return token.password


def bootstrap_token() -> str:
    """A fresh bootstrap token: six characters, a dot, sixteen."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    return "".join(secrets.choice(letters) for _ in range(6)) + "." + "".join(secrets.choice(letters) for _ in range(16))
