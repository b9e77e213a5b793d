"""Secrets in plain text among the settings of a server: where they stand, and how to write or hide them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gleitzeit.cli.hosts.dialects import variable_of
from gleitzeit.config.redaction import HIDDEN, redacted, without_user_info

_NAMED = re.compile(r"(^|[_-])(keys?|pass|pwd|pat|dsn|jwt|signature)([_-]|$)", re.IGNORECASE)
_KNOWN = re.compile(r"\b(sk-|gh[pousr]_|github_pat_|glpat-|xox[abprs]-|AKIA[0-9A-Z]{12}|Bearer\s+\S{8})")
_RANDOM = re.compile(r"(?=\D*\d)(?=[^A-Za-z]*[A-Za-z])[\w+=-]{20,}")
_REFERENCE = re.compile(r"\$\{\w+\}")
_OPTION = re.compile(r"(--?([\w-]+))(=.+)?")
_SCHEME = re.compile(r"(\w+\s+)\S+")


@dataclass(frozen=True, slots=True)
class Secret:
    """Something that looks like a secret: the setting it is in, and how to write it there instead."""

    place: str
    better: str


def secrets_in(settings: Mapping[str, Any]) -> Iterator[Secret]:
    """The places of a server's settings in which something stands that looks like a secret."""
    for key in ("env", "headers"):
        for name, value in settings.get(key, {}).items():
            if _is_secret(name, value):
                yield Secret(f"{key}.{name}", _better(name, value, str(settings["name"])))
    arguments = settings.get("args", ())
    for index, option in _secret_words(arguments):
        variable = f"${{{variable_of(option) if option else 'NAME'}}}"
        inline = _OPTION.fullmatch(arguments[index])
        yield Secret(f"args[{index}]", f"{inline[1]}={variable}" if inline and inline[3] else variable)


def masked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings without what may be secret, to be shown."""
    hidden = dict(settings)
    for key in ("env", "headers"):
        if key in hidden:
            hidden[key] = {name: HIDDEN if _is_secret(name, text) else text for name, text in hidden[key].items()}
    if "args" in hidden:
        secret = {index for index, _ in _secret_words(hidden["args"])}
        hidden["args"] = [HIDDEN if index in secret else word for index, word in enumerate(hidden["args"])]
    if "url" in hidden:
        hidden["url"] = _without_query(hidden["url"])
    return dict(without_user_info(hidden))


def _without_query(url: str) -> str:
    place, mark, query = url.partition("?")
    return url if not mark or all(map(_names_only, query.split("&"))) else f"{place}?{HIDDEN}"


def _is_secret(name: str, value: str) -> bool:
    """Whether a value is a secret by its name or its look; what only names a variable is none."""
    if not value or _names_only(value):
        return False
    return _names_secret(name) or _looks_secret(value)


def _names_secret(name: str) -> bool:
    return redacted({name: "x"})[name] == HIDDEN or _NAMED.search(name) is not None


def _looks_secret(value: str) -> bool:
    return _KNOWN.search(value) is not None or _RANDOM.fullmatch(value) is not None


def _names_only(value: str) -> bool:
    """Whether what is secret in a value comes from a variable: nothing else in it is longer than a word before it."""
    left, count = _REFERENCE.subn("", value)
    return count > 0 and not any(_looks_secret(word) for word in left.split())


def _better(name: str, value: str, server: str) -> str:
    """The value with a variable in place of the secret; the word before a token, such as `Bearer`, stays."""
    if name.lower() in ("authorization", "proxy-authorization"):
        scheme = _SCHEME.fullmatch(value)
        return f"{scheme[1] if scheme else ''}${{{variable_of(server)}_TOKEN}}"
    return f"${{{name if name.isidentifier() and name.isascii() else variable_of(name)}}}"


def _secret_words(words: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Which arguments are secret by their look, or by the option that they belong to, with its name."""
    before = ""
    for index, word in enumerate(words):
        option = _OPTION.fullmatch(word)
        inline = option is not None and option[3] is not None
        name = option[2] if option is not None and inline else before if option is None else ""
        value = option[3][1:] if option is not None and inline else word
        if value and not _names_only(value) and ((name and _names_secret(name)) or _looks_secret(value)):
            yield index, name
        before = option[2] if option is not None and not inline else ""
