"""The named queries of `queries.sql`, read once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

_NAMED = re.compile(r"^-- name: (\w+)\n((?:-- [^\n]*\n)+)([^;]+);", re.MULTILINE)


def parse(text: str) -> Mapping[str, str]:
    """The queries of a file by their names."""
    return {name: query.strip() for name, _why, query in _NAMED.findall(text)}


QUERIES = parse(Path(__file__).with_name("queries.sql").read_text(encoding="utf-8"))
