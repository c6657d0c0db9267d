"""A parser for the part of YAML that k3s configuration and simple manifests use.

Block maps and lists, flow collections, quoted and plain scalars, `|` and `>` blocks, comments, several documents.
No anchors, tags or complex keys: they are errors, never guesses.
"""
import json
import re

from .yaml_lines import YamlError, balanced, one_value

_KEY = re.compile(r"""^("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s#\-\[\]{},&*!|>'"%@`][^#]*?|-[^\s#:][^#:]*?)\s*:(?=\s|$)""")


class _Lines:
    def __init__(self, text: str):
        self.items = []
        self.raw = text.split("\n")
        self.at = 0
        for number, line in enumerate(self.raw):
            stripped = line.strip()
            if "\t" in line[:len(line) - len(line.lstrip())]:
                raise YamlError(f"line {number + 1}: found character that cannot start any token (a tab)")
            if stripped and not stripped.startswith("#"):
                self.items.append((len(line) - len(line.lstrip(" ")), stripped, number))

    def peek(self):
        return self.items[self.at] if self.at < len(self.items) else None

    def skip_to(self, number: int) -> None:
        while self.at < len(self.items) and self.items[self.at][2] < number:
            self.at += 1


def documents(text: str) -> list:
    """Every document of a stream; JSON is accepted as it is YAML."""
    text = text.lstrip("\ufeff").replace("\r\n", "\n")
    if text.lstrip()[:1] in "{[" and text.strip():
        try:
            return [json.loads(text)]
        except ValueError:
            pass
    out = []
    for part in re.split(r"(?m)^---(?:[ \t].*)?$", text):
        part = re.split(r"(?m)^\.\.\.[ \t]*$", part)[0]
        lines = _Lines(part)
        if lines.peek() is None:
            continue
        value = _block(lines, lines.peek()[0])
        rest = lines.peek()
        if rest is not None:
            raise YamlError(f"line {rest[2] + 1}: did not find expected key: {rest[1][:60]!r}")
        out.append(value)
    return out


def load(text: str):
    """The first document, or None."""
    found = documents(text)
    return found[0] if found else None


def _block(lines: _Lines, indent: int):
    level, text, _ = lines.peek()
    if text == "-" or text.startswith("- "):
        return _sequence(lines, level)
    if _KEY.match(text):
        return _mapping(lines, level)
    return _scalar(lines, text, indent - 1)


def _sequence(lines: _Lines, indent: int) -> list:
    out = []
    while lines.peek() and lines.peek()[0] == indent and (lines.peek()[1] == "-" or lines.peek()[1].startswith("- ")):
        _, text, number = lines.peek()
        rest = text[1:].lstrip(" ")
        if not rest or rest.startswith("#"):
            lines.at += 1
            out.append(_nested(lines, indent))
            continue
        deeper = indent + len(text) - len(rest)
        if rest == "-" or rest.startswith("- ") or _KEY.match(rest):
            lines.items[lines.at] = (deeper, rest, number)
            out.append(_block(lines, deeper))
        else:
            out.append(_scalar(lines, rest, indent))
    return out


def _mapping(lines: _Lines, indent: int) -> dict:
    out = {}
    while lines.peek() and lines.peek()[0] == indent:
        _, text, number = lines.peek()
        match = _KEY.match(text)
        if not match:
            if text.startswith("- ") or text == "-":
                break
            raise YamlError(f"line {number + 1}: could not find expected ':': {text[:60]!r}")
        key = match.group(1)
        key = one_value(key) if key[0] in "\"'" else key
        if key in out:
            raise YamlError(f"line {number + 1}: key {key!r} already set in map")
        rest = text[match.end():].strip()
        if not rest or rest.startswith("#"):
            lines.at += 1
            following = lines.peek()
            # A list may stand at the indentation of its key.
            if following and following[0] == indent and (following[1] == "-" or following[1].startswith("- ")):
                out[key] = _sequence(lines, indent)
            else:
                out[key] = _nested(lines, indent)
        else:
            out[key] = _scalar(lines, rest, indent)
    if lines.peek() and lines.peek()[0] > indent:
        raise YamlError(f"line {lines.peek()[2] + 1}: mapping values are not allowed in this context")
    return out


def _nested(lines: _Lines, indent: int):
    following = lines.peek()
    if following is None or following[0] <= indent:
        return None
    return _block(lines, following[0])


def _scalar(lines: _Lines, text: str, indent: int):
    number = lines.peek()[2]
    header = re.match(r"^([|>])([-+]?)(\d?)([-+]?)\s*(#.*)?$", text)
    if header:
        return _literal(lines, number, indent, header)
    lines.at += 1
    if text[0] in "[{\"'":
        while not balanced(text):
            following = lines.peek()
            if following is None:
                raise YamlError(f"line {number + 1}: value does not end: {text[:60]!r}")
            text += "\n" + following[1]
            lines.at += 1
    else:
        while lines.peek() and lines.peek()[0] > indent and not _KEY.match(lines.peek()[1]):
            text += " " + lines.peek()[1]
            lines.at += 1
    try:
        return one_value(text)
    except YamlError as failure:
        raise YamlError(f"line {number + 1}: {failure}") from None


def _literal(lines: _Lines, number: int, indent: int, header):
    body, depth, at = [], None, number + 1
    while at < len(lines.raw):
        line = lines.raw[at]
        level = len(line) - len(line.lstrip(" "))
        if line.strip() and level <= max(indent, -1):
            break
        if line.strip() and depth is None:
            depth = indent + int(header.group(3)) if header.group(3) else level
        body.append(line)
        at += 1
    lines.skip_to(at)
    cut = [line[depth or 0:] if line.strip() else "" for line in body]
    text = "\n".join(cut)
    if header.group(1) == ">":
        text = re.sub(r"(?<=\S)\n(?=\S)", " ", text)
    chomp = header.group(2) or header.group(4)
    if chomp == "+":
        return text + "\n"
    text = text.rstrip("\n")
    return text if chomp == "-" or not text else text + "\n"
