"""Scalars and flow collections of YAML 1.1: the traps included, because k3s falls into them too."""
import re

_OCTAL = re.compile(r"^[-+]?0[0-7_]+$")
_INT = re.compile(r"^[-+]?(0|[1-9][0-9_]*)$")
_FLOAT = re.compile(r"^[-+]?([0-9][0-9_]*)?\.[0-9]*([eE][-+][0-9]+)?$")
_TRUE = {"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"}
_FALSE = {"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", '"': '"', "\\": "\\", "/": "/", " ": " ", "e": "\x1b"}


class YamlError(ValueError):
    """Text outside the subset, with its line where known."""


def plain(text: str):
    """An unquoted scalar: 0644 is the number 420, `yes` is true, `~` is nothing."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if _OCTAL.match(text):
        return int(text.replace("_", ""), 8)
    if _INT.match(text):
        return int(text.replace("_", ""))
    if re.match(r"^0x[0-9a-fA-F]+$", text):
        return int(text, 16)
    if _FLOAT.match(text) and text not in (".", "-.", "+."):
        return float(text.replace("_", ""))
    return text


class Scanner:
    """Reads one value (quoted, flow, or plain) from a string."""

    def __init__(self, text: str):
        self.text = text
        self.at = 0

    def space(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in " \t\n":
            self.at += 1
        if self.at < len(self.text) and self.text[self.at] == "#" and (self.at == 0 or self.text[self.at - 1] in " \t\n"):
            while self.at < len(self.text) and self.text[self.at] != "\n":
                self.at += 1
            self.space()

    def value(self, stop: str = ""):
        self.space()
        char = self.text[self.at:self.at + 1]
        if char == "[":
            return self.sequence()
        if char == "{":
            return self.mapping()
        if char in ('"', "'"):
            return self.quoted()
        if char and char in "&*!@`%":
            raise YamlError(f"not supported here: {self.text[self.at:self.at + 20]!r}")
        return plain(self.raw(stop))

    def raw(self, stop: str) -> str:
        begin = self.at
        while self.at < len(self.text):
            char = self.text[self.at]
            if char in stop:
                break
            if char == ":" and ":" in stop + ":" and stop and self.text[self.at + 1:self.at + 2] in ("", " ", ",", "}", "]", "\n"):
                break
            if char == "#" and self.at > 0 and self.text[self.at - 1] in " \t":
                break
            self.at += 1
        return " ".join(self.text[begin:self.at].split())

    def quoted(self) -> str:
        quote = self.text[self.at]
        self.at += 1
        out = []
        while self.at < len(self.text):
            char = self.text[self.at]
            self.at += 1
            if quote == "'" and char == "'":
                if self.text[self.at:self.at + 1] != "'":
                    return "".join(out)
                self.at += 1
                out.append("'")
            elif quote == '"' and char == '"':
                return "".join(out)
            elif quote == '"' and char == "\\":
                code = self.text[self.at:self.at + 1]
                self.at += 1
                if code in ("x", "u", "U"):
                    size = {"x": 2, "u": 4, "U": 8}[code]
                    out.append(chr(int(self.text[self.at:self.at + size], 16)))
                    self.at += size
                elif code in _ESCAPES:
                    out.append(_ESCAPES[code])
                else:
                    raise YamlError(f"unknown escape \\{code}")
            else:
                out.append(char)
        raise YamlError("found unexpected end of a quoted scalar")

    def sequence(self) -> list:
        self.at += 1
        out = []
        while True:
            self.space()
            if self.text[self.at:self.at + 1] == "]":
                self.at += 1
                return out
            out.append(self.value(",]"))
            self.space()
            if self.text[self.at:self.at + 1] == ",":
                self.at += 1
            elif self.text[self.at:self.at + 1] != "]":
                raise YamlError("did not find expected ',' or ']'")

    def mapping(self) -> dict:
        self.at += 1
        out = {}
        while True:
            self.space()
            if self.text[self.at:self.at + 1] == "}":
                self.at += 1
                return out
            key = self.value(",}:")
            self.space()
            if self.text[self.at:self.at + 1] == ":":
                self.at += 1
                out[str(key)] = self.value(",}")
            else:
                out[str(key)] = None
            self.space()
            if self.text[self.at:self.at + 1] == ",":
                self.at += 1
            elif self.text[self.at:self.at + 1] != "}":
                raise YamlError("did not find expected ',' or '}'")


def balanced(text: str) -> bool:
    """Whether every bracket and quote that the text opens is closed."""
    try:
        scanner = Scanner(text)
        scanner.value()
        return True
    except YamlError:
        return False


def one_value(text: str):
    """The value that a whole piece of text is; anything behind it but a comment is an error."""
    scanner = Scanner(text)
    found = scanner.value()
    scanner.space()
    if scanner.at < len(scanner.text):
        raise YamlError(f"unexpected text after a value: {scanner.text[scanner.at:][:40]!r}")
    return found
