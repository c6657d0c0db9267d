"""The patch forms that kubectl sends: JSON merge, strategic merge (lists by name or type), JSON patch."""
import copy


class PatchError(ValueError):
    """A JSON patch that does not apply."""


def merge(base, change, strategic: bool = False):
    """A new object. In the strategic form lists of containers, conditions and the like merge by their key."""
    if not isinstance(change, dict):
        return copy.deepcopy(change)
    out = dict(base) if isinstance(base, dict) else {}
    for key, value in change.items():
        if key.startswith("$"):
            continue
        if value is None:
            out.pop(key, None)
        elif isinstance(value, dict):
            out[key] = merge(out.get(key), value, strategic)
        elif strategic and isinstance(value, list) and _merge_key(key, value):
            out[key] = _merge_list(out.get(key) or [], value, _merge_key(key, value))
        else:
            out[key] = copy.deepcopy(value)
    return out


def _merge_key(field: str, value: list) -> str:
    # Not the addresses of a Node, which has two of one type: the kubelet asks for them to be replaced.
    known = {"conditions": "type", "containers": "name", "initContainers": "name",
             "volumes": "name", "env": "name", "ownerReferences": "uid"}
    key = known.get(field, "")
    return key if key and all(isinstance(item, dict) and key in item for item in value) else ""


def _merge_list(base: list, change: list, key: str) -> list:
    out = [copy.deepcopy(item) for item in base]
    for item in change:
        at = next((i for i, old in enumerate(out) if old.get(key) == item[key]), None)
        if item.get("$patch") == "delete":
            if at is not None:
                out.pop(at)
        elif at is None:
            out.append(copy.deepcopy(item))
        else:
            out[at] = merge(out[at], item, True)
    return out


def json_patch(base, operations: list):
    """RFC 6902 without move and copy."""
    out = copy.deepcopy(base)
    for operation in operations:
        parts = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        holder = out
        for part in parts[:-1]:
            holder = holder[int(part)] if isinstance(holder, list) else holder.setdefault(part, {})
        last, kind = parts[-1], operation["op"]
        present = last in holder if isinstance(holder, dict) else last != "-" and int(last) < len(holder)
        if kind in ("remove", "replace", "test") and not present:
            raise PatchError(f"{kind} operation does not apply: doc is missing key: {operation['path']}")
        if isinstance(holder, list):
            _patch_list(holder, last, operation)
        elif kind == "remove":
            holder.pop(last)
        elif kind == "test":
            if holder[last] != operation.get("value"):
                raise PatchError(f"testing value {operation['path']} failed")
        else:
            holder[last] = operation.get("value")
    return out


def _patch_list(holder: list, last: str, operation: dict) -> None:
    kind = operation["op"]
    if kind == "add":
        holder.insert(len(holder) if last == "-" else int(last), operation.get("value"))
    elif kind == "remove":
        holder.pop(int(last))
    elif kind == "replace":
        holder[int(last)] = operation.get("value")
    elif holder[int(last)] != operation.get("value"):
        raise PatchError(f"testing value {operation['path']} failed")
