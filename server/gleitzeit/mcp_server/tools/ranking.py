"""Which methods fit a query best."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gleitzeit.core.protocol import MethodSpec

_WORD = re.compile(r"[a-z0-9]+")


def ranked(query: str, specs: Iterable[MethodSpec]) -> list[MethodSpec]:
    """The methods that have something of `query`, best first: by name, then by words in name and description."""
    scored = [(_score(query.strip().lower(), spec), spec) for spec in specs]
    fitting = [(score, spec) for score, spec in scored if score > 0]
    return [spec for _, spec in sorted(fitting, key=lambda pair: (-pair[0], pair[1].name))]


def _score(query: str, spec: MethodSpec) -> float:
    name = spec.name.lower()
    short = name.rpartition("/")[2]
    if query == name:
        return 1000
    if query in (short, short.removeprefix("tool.")):
        return 900
    words = _words(query)
    if not words:
        return 0
    score = sum(_word_score(word, name, spec.description.lower()) for word in words) / len(words)
    return score + 300 if name.startswith(query) or short.startswith(query) else score


def _word_score(word: str, name: str, description: str) -> float:
    names, said = _words(name), _words(description)
    if word in names:
        return 100
    if any(part.startswith(word) for part in names):
        return 70
    if word in name:
        return 50
    if word in said:
        return 30
    stem = word.rstrip("s")
    near = len(stem) > 2 and any(part.startswith(stem) for part in (*names, *said))
    return 15 if near else 0


def _words(text: str) -> list[str]:
    return _WORD.findall(text)
