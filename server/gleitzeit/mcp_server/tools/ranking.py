"""Which methods fit a query best."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from gleitzeit.core.diagnostics import nearest
from gleitzeit.core.protocol import MethodSpec

_PARTS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+|[^\W\d_a-zA-Z]+")
_ENDINGS = (
    ("ies", "y"),
    ("sses", "ss"),
    ("ches", "ch"),
    ("shes", "sh"),
    ("xes", "x"),
    ("ing", ""),
    ("ed", ""),
    ("s", ""),
)
_IDLE = frozenset(
    "a an and all any as at be by can do for from how i in into is it me my of on or the this to want with".split()
)
_ALIKE = (
    ("delete", "remove", "erase", "drop"),
    ("create", "make", "add", "new", "open"),
    ("read", "get", "show", "fetch", "load", "view"),
    ("list", "show", "all"),
    ("write", "save", "store", "put"),
    ("change", "edit", "update", "modify", "set"),
    ("find", "search", "query", "lookup", "grep"),
    ("run", "execute", "call", "start"),
    ("send", "post", "publish"),
    ("directory", "folder", "dir"),
    ("picture", "image", "photo"),
    ("repository", "repo"),
    ("text", "words"),
    ("email", "mail", "message"),
    ("webpage", "website", "page", "url"),
)

_NAME, _OWNER, _DESCRIPTION, _PARAMETER = 3.0, 2.0, 1.0, 0.5
_BEGUN, _ALIKE_WORD, _WITHIN = 0.4, 0.5, 0.35
_IDLY = 0.02
_WHOLE = 1_000.0
_TOOL = "mcp/tool."
_BEFORE = 4.0
_LENGTH = 0.02
_SHORTEST_PART = 3
_LONGEST = 2_000
_MOST_WORDS = 16


@dataclass(frozen=True, slots=True)
class _Words:
    """What a method is known by, as words: with how much each of them says about it."""

    weights: Mapping[str, float]
    names: Sequence[str]


def ranked(query: str, specs: Iterable[MethodSpec]) -> list[MethodSpec]:
    """The methods with something of `query`, best first: what is named so, then by its words, rare ones first.

    A word fits better in a name than in a description, and better as it is than where another begins alike, or means
    the same.
    """
    methods = list(specs)
    known = [_words_of(spec.name, spec.description[:_LONGEST], _parameters(spec)) for spec in methods]
    fits = {word: [_fit(word, words) for words in known] for word in _wanted(query)}
    counts = {word: _rarity(found) * (_IDLY if word in _IDLE else 1) for word, found in fits.items()}
    scored = [
        (_whole(query, spec.name) + _score(index, fits, counts) / (1 + _LENGTH * len(known[index].names)), spec)
        for index, spec in enumerate(methods)
    ]
    fitting = [(score, spec) for score, spec in scored if score > 0]
    return [spec for _, spec in sorted(fitting, key=lambda pair: (-pair[0], pair[1].name))]


def nearest_name(query: str, specs: Iterable[MethodSpec]) -> str | None:
    """The method whose name is most like a query that fits none."""
    named: dict[str, str] = {}
    for spec in specs:
        short = _short(spec.name)
        for name in (spec.name, short, short.rpartition(".")[2]):
            named.setdefault(name, spec.name)
    found = nearest(query.strip(), named)
    return None if found is None else named[found]


def _score(index: int, fits: Mapping[str, Sequence[float]], counts: Mapping[str, float]) -> float:
    """How well one method fits: the words that it has, each for what it counts, and how many of them those are."""
    telling = [word for word in fits if word not in _IDLE] or list(fits)
    if not telling:
        return 0.0
    covered = sum(fits[word][index] > 0 for word in telling)
    return sum(found[index] * counts[word] for word, found in fits.items()) * covered / len(telling)


def _whole(query: str, name: str) -> float:
    """What it counts that a query is the name itself, or the beginning of it."""
    asked, full = query.strip().lower(), name.lower()
    short = _short(full)
    for place, part in enumerate((short.rpartition(".")[2], short, full)[::-1]):
        if asked == part:
            return _WHOLE / (1 + place)
    return _BEFORE if asked and (full.startswith(asked) or short.startswith(asked)) else 0.0


def _fit(word: str, words: _Words) -> float:
    """How well a word of the query fits the best of a method's words."""
    found = words.weights.get(word, 0.0)
    for other in _alike().get(word, ()):
        found = max(found, words.weights.get(other, 0.0) * _ALIKE_WORD)
    if len(word) >= _SHORTEST_PART:
        for other, weight in words.weights.items():
            if weight * _BEGUN > found and _begins_alike(word, other):
                found = weight * _BEGUN
        if found < _NAME * _WITHIN and any(word in name for name in words.names):
            found = _NAME * _WITHIN
    return found


def _begins_alike(word: str, other: str) -> bool:
    return other.startswith(word) or (len(other) > _SHORTEST_PART and word.startswith(other))


def _rarity(fits: Sequence[float]) -> float:
    """What a word counts: the fewer methods have it, the more."""
    having = sum(fit > 0 for fit in fits)
    return math.log(1 + (len(fits) + 1) / (having + 0.5))


def _wanted(query: str) -> list[str]:
    return list(dict.fromkeys(_words(query[:_LONGEST])))[:_MOST_WORDS]


@lru_cache(maxsize=4096)
def _words_of(name: str, description: str, parameters: tuple[str, ...]) -> _Words:
    weights: dict[str, float] = {}
    owner, _, own = _short(name).rpartition(".") if name.startswith(_TOOL) else ("", "", name)
    names = (_words(owner), _words(own))
    given = (*names, _words(description), _words(" ".join(parameters)))
    for words, weight in zip(given, (_OWNER, _NAME, _DESCRIPTION, _PARAMETER), strict=True):
        for word in set(words):
            weights[word] = weights.get(word, 0.0) + weight
    return _Words(weights, [*names[0], *names[1]])


def _parameters(spec: MethodSpec) -> tuple[str, ...]:
    return tuple(spec.parameters.get("properties", {}))


@lru_cache(maxsize=1)
def _alike() -> Mapping[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for group in _ALIKE:
        stems = frozenset(_stem(word) for word in group)
        for stem in stems:
            found[stem] = found.get(stem, frozenset()) | stems - {stem}
    return found


def _words(text: str) -> list[str]:
    return [_stem(part.lower()) for part in _PARTS.findall(text)]


def _stem(word: str) -> str:
    """The word without an ending that says nothing here."""
    for ending, instead in _ENDINGS:
        if (
            word.endswith(ending)
            and len(word) - len(ending) >= _SHORTEST_PART
            and not word.endswith(("ss", "us", "is"))
        ):
            return word[: -len(ending)] + instead
    return word


def _short(name: str) -> str:
    return name.rpartition("/")[2].removeprefix("tool.")
