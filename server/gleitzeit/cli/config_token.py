"""`gleitzeit config token`: makes a token for `gleitzeit serve`, and enters its hash into the configuration."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from pydantic import ValidationError as ModelError

from gleitzeit.cli.chosen_configuration import configured
from gleitzeit.cli.host_config import Change, read_text, write_change
from gleitzeit.cli.options import ConfigOption, JsonOption
from gleitzeit.cli.output import print_json, print_result, say
from gleitzeit.cli.yaml_addition import UnextendableError, entry_text, with_entries
from gleitzeit.config.settings import TokenSettings
from gleitzeit.core.errors import ConfigurationError
from gleitzeit.core.scopes import Scope
from gleitzeit.mcp_server.access.tokens import hash_of, new_token

_PLACE = ("server", "tokens")
_SCOPES: tuple[str, ...] = get_args(Scope)
_USUAL = ("workflows:read", "workflows:run", "workflows:write")

NameArgument = Annotated[str, typer.Argument(help="Who comes with it. What it runs belongs to that name.")]
ScopesOption = Annotated[
    str, typer.Option(metavar="SCOPE,...", help=f"What it is good for, of {', '.join(_SCOPES)}; comma-separated.")
]
PrintOption = Annotated[bool, typer.Option("--print", help="Only print it; the configuration stays as it is.")]


@dataclass(frozen=True, slots=True)
class _Made:
    """A token with its entry, the file that the entry belongs in, and what of that is shown.

    `namesakes` are the tokens of the same name that were there before.
    """

    token: str
    entry: dict[str, Any]
    path: Path
    backup: Path | None = None
    written: bool = False
    namesakes: int = 0


def token(
    name: NameArgument,
    scopes: ScopesOption = ",".join(_USUAL),
    config: ConfigOption = None,
    only_print: PrintOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a token for `gleitzeit serve`, print it this once, and enter its hash into the configuration."""
    made = _made(name, scopes, config, only_print)
    if as_json:
        print_json(
            {
                "token": made.token,
                "entry": made.entry,
                "path": str(made.path),
                "changed": made.written,
                "backup": str(made.backup) if made.backup else None,
            }
        )
    else:
        _tell(made)


def _made(name: str, scopes: str, config: Path | None, only_print: bool) -> _Made:
    configuration = configured(config)
    path = configuration.path or configuration.home / "config.yaml"
    text = new_token()
    entry = {"name": name, "hash": hash_of(text), "scopes": [scope.strip() for scope in scopes.split(",")]}
    _check(entry)
    if only_print:
        return _Made(text, entry, path)
    namesakes = sum(known.name == name for known in configuration.server.tokens)
    return _Made(text, entry, path, write_change(_change(path, entry)), written=True, namesakes=namesakes)


def _check(entry: dict[str, Any]) -> None:
    try:
        TokenSettings.model_validate(entry)
    except ModelError as error:
        wrong = str(error.errors()[0]["loc"][0])
        hints = {
            "name": "a name has 1 to 64 letters, digits and . _ @ -, and begins with a letter or digit",
            "scopes": f"the scopes are {', '.join(_SCOPES)}",
        }
        raise ConfigurationError(f"{entry[wrong]!r} can't be the {wrong} of a token", hint=hints[wrong]) from error


def _change(path: Path, entry: dict[str, Any]) -> Change:
    before = read_text(path)
    try:
        after = with_entries(before or "", _PLACE, [entry])
    except UnextendableError as error:
        raise ConfigurationError(
            f"{path} was left as it is, and no token was made: {error}",
            hint=f"make one with --print, and paste its entry there, such as:\n{_section({**entry, 'hash': '...'})}",
        ) from error
    lines = difflib.unified_diff((before or "").splitlines(), after.splitlines(), lineterm="", n=0)
    return Change(path, before, after, "\n".join(lines))


def _section(entry: dict[str, Any]) -> str:
    return f"server:\n  tokens:\n{entry_text([entry], 4)}"


def _tell(made: _Made) -> None:
    print_result(made.token)
    say("this is the only time that it is shown; clients send it as `Authorization: Bearer ...`")
    if not made.written:
        say(f"its entry in {made.path}:")
        for line in _section(made.entry).rstrip().splitlines():
            say(line)
        return
    say(("written", "bold green"), f": its hash, to {made.path}; a server that runs takes it once it is started again")
    if made.namesakes:
        says = "another token" if made.namesakes == 1 else f"{made.namesakes} other tokens"
        say(f"{says} of {made.entry['name']} can still be used; take the entry out to end that")
    if made.backup is not None:
        say(f"what was there before is kept in {made.backup}")
