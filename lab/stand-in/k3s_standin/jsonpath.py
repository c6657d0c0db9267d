"""kubectl's JSONPath templates, as far as scripts use them: fields, indexes, [*], filters by equality, range, text."""
import json
import re


class JsonPathError(ValueError):
    """A template outside the subset."""


def render(template: str, root) -> str:
    """The text of a template over an object."""
    parts = re.findall(r"\{(?:[^{}\"']|\"[^\"]*\"|'[^']*')*\}|[^{]+", template)
    return "".join(_run(parts, root, root))


def _run(parts: list, root, here) -> list:
    out, at = [], 0
    while at < len(parts):
        part = parts[at]
        at += 1
        if not part.startswith("{"):
            out.append(part)
            continue
        text = part[1:-1].strip()
        if text.startswith("range "):
            depth, begin = 1, at
            while depth:
                if at >= len(parts):
                    raise JsonPathError("unterminated range")
                depth += parts[at].startswith("{range ") - (parts[at].replace(" ", "") == "{end}")
                at += 1
            for one in select(text[6:].strip(), root, here):
                out += _run(parts[begin:at - 1], root, one)
        elif text[:1] in "\"'":
            out.append(text[1:-1].encode().decode("unicode_escape"))
        else:
            out.append(" ".join(_text(one) for one in select(text, root, here)))
    return out


def _text(value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def select(path: str, root, here) -> list:
    """The values that a path names."""
    found = [root if path.startswith("$") else here]
    rest = path.lstrip("$@")
    while rest:
        match = re.match(r"\.((?:[^.\[\\]|\\.)+)|\[(\*|-?\d+)\]|\['((?:[^'\\]|\\.)*)'\]|\[\?\((.*?)\)\]|\.(?=\[)|\.$", rest)
        if not match:
            raise JsonPathError(f"unrecognized character in path: {rest!r}")
        rest = rest[match.end():]
        name, index, quoted, condition = match.groups()
        if name == "*" or index == "*":
            found = [one for item in found for one in (item.values() if isinstance(item, dict) else item or [])]
        elif index is not None:
            found = [item[int(index)] for item in found if isinstance(item, list) and -len(item) <= int(index) < len(item)]
        elif condition is not None:
            found = [one for item in found for one in item or [] if _holds(condition, root, one)]
        elif name is not None or quoted is not None:
            key = (name if name is not None else quoted).replace("\\.", ".").replace("\\", "")
            found = [item[key] for item in found if isinstance(item, dict) and key in item]
    return found


def _holds(condition: str, root, one) -> bool:
    match = re.fullmatch(r"\s*(@[^=!<>]*?)\s*(?:(==|!=)\s*(.+?))?\s*", condition)
    if not match:
        raise JsonPathError(f"filter not supported: {condition!r}")
    found = select(match.group(1), root, one)
    if not match.group(2):
        return bool(found)
    text = match.group(3)
    wanted = text[1:-1] if text[0] in "\"'" else json.loads(text)
    return (bool(found) and found[0] == wanted) == (match.group(2) == "==")
