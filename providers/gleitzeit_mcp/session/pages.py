"""Lists that come in pages."""

from __future__ import annotations

import json
from typing import Any

from gleitzeit.core.data import is_list
from gleitzeit.core.errors import ProviderError
from gleitzeit_mcp.session.session import Session

_MOST_PAGES = 1_000
_MOST_ENTRIES = 100_000
_MOST_BYTES = 16 * 1024 * 1024


async def listed(session: Session, method: str, key: str, limit: float | None = None) -> list[Any]:
    """All entries of a list, such as the `tools` of `tools/list`; each page has `limit` seconds.

    Raises `RemoteError` with what the server answered, `ProviderError` for a list without an end.
    """
    entries: list[Any] = []
    cursors: set[str] = set()
    size = 0
    cursor: str | None = None
    while True:
        page = await session.request(method, {} if cursor is None else {"cursor": cursor}, timeout=limit)
        found: Any = page.get(key)
        if not is_list(found):
            raise ProviderError(f"{method}: the answer has no list of {key}", retryable=False)
        entries += found
        size += len(json.dumps(found))
        if size > _MOST_BYTES:
            raise ProviderError(
                f"{method}: the list has more than {_MOST_BYTES // 2**20} MiB",
                hint="that is too much to be of use",
                retryable=False,
            )
        following = page.get("nextCursor")
        if not isinstance(following, str) or not following:
            return entries
        if following in cursors or len(cursors) >= _MOST_PAGES or len(entries) > _MOST_ENTRIES:
            raise ProviderError(
                f"{method}: the list has no end: cursor {following[:60]!r} after {len(entries)} entries",
                hint="this is a mistake of the server",
                retryable=False,
            )
        cursors.add(following)
        cursor = following
