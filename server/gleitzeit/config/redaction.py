"""Keeping secrets out of what is shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from gleitzeit.core.data import is_list

HIDDEN = "***"

_SECRET = re.compile(
    r"token|secret|passw|credential|authorization|api[_-]?key|private[_-]?key|cookie|^auth$", re.IGNORECASE
)
_HARMLESS = frozenset({"result_tokens", "max_tokens"})
# Up to the last `@`, for a password may have one itself.
_USER_INFO = re.compile(r"(?<=://)[^/\s]*(?=@)")
_ADDRESS = re.compile(r"endpoint|url|address|proxy", re.IGNORECASE)
_USER_INFO_ALONE = re.compile(r"\A[^/\s]+(?=@)")


def redacted(value: Any) -> Any:
    """JSON data with the values of secret-looking keys, of `env` and `headers`, and passwords in URLs left out."""
    if isinstance(value, Mapping):
        mapping = cast("Mapping[str, Any]", value)
        return {key: _shown(str(key), item) for key, item in mapping.items()}
    if isinstance(value, (list, tuple)):
        return [redacted(item) for item in cast("list[Any]", value)]
    return _USER_INFO.sub(HIDDEN, value) if isinstance(value, str) else value


def without_user_info(value: Any) -> Any:
    """JSON data without the passwords in URLs."""
    if isinstance(value, Mapping):
        return {key: without_user_info(item) for key, item in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [without_user_info(item) for item in cast("list[Any]", value)]
    return _USER_INFO.sub(HIDDEN, value) if isinstance(value, str) else value


def _shown(key: str, value: Any) -> Any:
    if key in ("env", "headers") and isinstance(value, Mapping):
        return {name: _reference(item) for name, item in cast("Mapping[str, Any]", value).items()}
    if _SECRET.search(key) and key not in _HARMLESS and isinstance(value, str):
        return _reference(value)
    return _bare_addresses(redacted(value)) if _ADDRESS.search(key) else redacted(value)


def _bare_addresses(value: Any) -> Any:
    """What stands where an address is expected, which may be written without a scheme: `user:password@host`."""
    if is_list(value):
        return [_bare_addresses(item) for item in value]
    return _USER_INFO_ALONE.sub(HIDDEN, value) if isinstance(value, str) else value


def _reference(value: Any) -> Any:
    # `${VAR}` names a secret without being one, and is what a person looks for when it is missing.
    return value if isinstance(value, str) and re.fullmatch(r"\$\{[^}]*\}", value) and ":-" not in value else HIDDEN
