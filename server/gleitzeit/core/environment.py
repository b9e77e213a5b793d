"""`${VAR}` and `${VAR:-default}` in a text, filled from the environment; `$$` is a `$`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping

from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import ConfigurationError

# Some hosts write `${env:VAR}` where others write `${VAR}`.
_REFERENCE = re.compile(r"\$\$|\$\{(?:env:)?(?P<name>[^}:]*)(?::-(?P<default>[^}]*))?\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SPECIAL = re.compile(r'[\\"$`]')


def fill(text: str, environment: Mapping[str, str], where: str) -> str:
    """`text` with its references filled in; a default also stands in for a variable that is empty.

    Raises `ConfigurationError` naming the place, which is `where`, and the variable that is not set.
    """

    def replacement(match: re.Match[str]) -> str:
        if match.group() == "$$":
            return "$"
        name, default = match["name"], match["default"]
        if not _NAME.fullmatch(name):
            raise ConfigurationError(
                f'{where}: "{match.group()}" does not name an environment variable', hint="write $$ for a plain $"
            )
        if default is None:
            return variable(name, environment, where)
        return environment.get(name) or default

    return _REFERENCE.sub(replacement, text) if "$" in text else text


def variable(name: str, environment: Mapping[str, str], where: str) -> str:
    """The value of a variable. Raises `ConfigurationError` naming the place, which is `where`, if it is not set."""
    if name in environment:
        return environment[name]
    guess = did_you_mean(name, environment)
    hint = f"set {name}, or write ${{{name}:-default}}"
    raise ConfigurationError(
        f"{where}: the environment variable {name} is not set", hint=f"{hint}; {guess}" if guess else hint
    )


def shell_word(text: str) -> str:
    """`text` as one word of a POSIX shell, which fills in by itself what `fill` would."""
    parts = list(_parts(text))
    if not any(filled for _, filled in parts):
        return shlex.quote("".join(part for part, _ in parts))
    return f'"{"".join(part if filled else _SPECIAL.sub(_escaped, part) for part, filled in parts)}"'


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """The pieces of a text, and whether each is a reference, in the spelling of a shell."""
    end = 0
    for match in _REFERENCE.finditer(text):
        yield text[end : match.start()], False
        end = match.end()
        if match.group() == "$$":
            yield "$", False
        else:
            yield match.group().replace("${env:", "${", 1), _NAME.fullmatch(match["name"]) is not None
    yield text[end:], False


def _escaped(match: re.Match[str]) -> str:
    return f"\\{match.group()}"
