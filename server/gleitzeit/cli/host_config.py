"""A host's JSON file of MCP servers: one entry added or renewed, everything else kept as it is."""

from __future__ import annotations

import copy
import difflib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from gleitzeit.core.errors import ConfigurationError, ConflictError

_BOM = "\ufeff"
_OF_REMOTE_SERVERS = ("url", "headers", "type")


@dataclass(frozen=True, slots=True)
class Change:
    """What a host's file says now and what it is to say; `before` is None where there is no file yet."""

    path: Path
    before: str | None
    after: str
    diff: str

    @property
    def needed(self) -> bool:
        """Whether the file does not say it already."""
        return self.before != self.after


def plan_change(path: Path, name: str, entry: Mapping[str, Any], section: str = "mcpServers") -> Change:
    """How the file at `path` has to change for the server `name` to be started by `entry`, under the key `section`.

    Raises `ConfigurationError` where the file is not one that can be changed safely.
    """
    before = read_text(path)
    document = _parse(before or "", path)
    wanted = _with_entry(document, name, entry, path, section)
    if before is not None and wanted == document:
        return Change(path, before, before, "")
    shown = _diff(_masked(document, name, section), _masked(wanted, name, section), before, path)
    return Change(path, before, _dump(wanted, before or ""), shown)


def write_change(change: Change) -> Path | None:
    """Write the file at once or not at all, and return where its old content was copied to, if there was any.

    A symbolic link stays one; the file keeps its permissions.

    Raises `ConflictError` where the file is no longer what the change was made for.
    """
    if read_text(change.path) != change.before:
        raise ConflictError(f"{change.path} was changed by somebody else just now", hint="run the command again")
    target = Path(os.path.realpath(change.path))
    target.parent.mkdir(parents=True, exist_ok=True)
    backup = _back_up(target) if change.before is not None else None
    _replace(target, change.after)
    return backup


def read_text(path: Path) -> str | None:
    """The text of a file; none where there is no such file. Raises `ConfigurationError` for what is no text."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise _refused(path, f"byte {error.start} is not UTF-8 text") from error
    except OSError as error:
        raise _refused(path, (error.strerror or str(error)).lower()) from error


def _parse(text: str, path: Path) -> dict[str, Any]:
    text = text.removeprefix(_BOM)
    if not text.strip():
        return {}
    try:
        document: Any = json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise _refused(path, f"line {error.lineno}, column {error.colno} is not valid JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise _refused(path, str(error)) from error
    if not isinstance(document, dict):
        raise _refused(path, "it is JSON, but not an object")
    return cast("dict[str, Any]", document)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f'the key "{repeated}" stands twice in one object')
    return document


def _with_entry(
    document: dict[str, Any], name: str, entry: Mapping[str, Any], path: Path, section: str
) -> dict[str, Any]:
    if not isinstance(document.get(section, {}), dict):
        raise _refused(path, f'"{section}" is not an object')
    servers = _object(document, section)
    return {**document, section: {**servers, name: _renewed(_object(servers, name), entry)}}


def _renewed(present: dict[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry as it is to be: what a person added to it (`env`, keys of the host) stays."""
    kept = {key: value for key, value in present.items() if key not in _OF_REMOTE_SERVERS}
    if present.get("type") == "stdio":
        kept["type"] = "stdio"
    return {**kept, **entry, "env": {**_object(present, "env"), **entry.get("env", {})}}


def _object(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The object under `key`; an empty one where there is something else or nothing."""
    value = values.get(key)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _dump(document: Mapping[str, Any], like: str) -> str:
    """The document in the layout of the text `like`: its indentation, line ends, mark and final line end."""
    found = re.search(r"\n([ \t]+)\S", like)
    text = json.dumps(document, indent=found.group(1) if found else 2, ensure_ascii=False)
    if not like.strip() or like.endswith("\n"):
        text += "\n"
    if "\r\n" in like:
        text = text.replace("\n", "\r\n")
    return (_BOM if like.startswith(_BOM) else "") + text


def _diff(document: Mapping[str, Any], wanted: Mapping[str, Any], before: str | None, path: Path) -> str:
    old = "" if before is None else _dump(document, "")
    new = _dump(wanted, "")
    names = ("/dev/null" if before is None else str(path), str(path))
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), *names, lineterm="")
    return "\n".join(lines)


def _masked(document: Mapping[str, Any], name: str, section: str) -> dict[str, Any]:
    """The document without the secrets of other servers, which nobody has to see for this change."""
    shown = cast("dict[str, Any]", copy.deepcopy(document))
    servers = _object(shown, section)
    for entry in (_object(servers, server) for server in servers if server != name):
        for part in ("env", "headers"):
            if part in entry:
                entry[part] = dict.fromkeys(_object(entry, part), "***")
    return shown


def _back_up(target: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    backup = target.with_name(f"{target.name}.{stamp}.backup")
    shutil.copy2(target, backup)
    return backup


def _replace(target: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(text.encode("utf-8"))
            stream.flush()
            os.fsync(stream.fileno())
        draft.chmod(target.stat().st_mode & 0o7777 if target.exists() else 0o600)
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _refused(path: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"{path} was left as it is: {reason}",
        hint="mend the file, or add the entry by hand: `gleitzeit install <host> --print` shows it",
    )
