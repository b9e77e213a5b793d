"""What `${...}` means in the files of hosts, and how Gleitzeit writes the same."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_REFERENCE = re.compile(r"\$\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WITH_DEFAULT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?")
_OF_WORKSPACE = ("workspaceFolder", "workspaceFolderBasename")
_NO_LETTER = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a host fills in: `${NAME}` and `${NAME:-default}`, `${env:NAME}`, `${input:name}`, names of folders."""

    plain: bool = False
    prefixed: bool = False
    inputs: bool = False
    folders: bool = False


LITERAL = Dialect()
CLAUDE_CODE = Dialect(plain=True)
CURSOR = Dialect(prefixed=True, folders=True)
VS_CODE = Dialect(prefixed=True, inputs=True, folders=True)
ANY = Dialect(plain=True, prefixed=True, inputs=True, folders=True)


@dataclass(frozen=True, slots=True)
class Translation:
    """A text as Gleitzeit has to read it, and what a person should know about it."""

    text: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str
    filled: bool = False
    note: str | None = None


def translated(text: str, dialect: Dialect, folder: Path | None) -> Translation:
    """A text of a host's file, which stands in the project `folder`, so that it means the same to Gleitzeit."""
    pieces = list(_pieces(text, dialect, folder))
    plain = "".join(piece.text for piece in pieces if not piece.filled)
    escaped = any(piece.filled for piece in pieces) or "$$" in plain or "${" in plain
    words = (
        piece.text if piece.filled or not escaped else piece.text.replace("$", "$$")  # one dollar is written as two
        for piece in pieces
    )
    return Translation("".join(words), tuple(piece.note for piece in pieces if piece.note))


def _pieces(text: str, dialect: Dialect, folder: Path | None) -> Iterator[_Piece]:
    end = 0
    for match in _REFERENCE.finditer(text, 0, text.rfind("}") + 1):  # nothing is looked for past the last end
        yield _Piece(text[end : match.start()])
        yield _meaning(match.group(), match.group(1), dialect, folder)
        end = match.end()
    yield _Piece(text[end:])


def _meaning(whole: str, inner: str, dialect: Dialect, folder: Path | None) -> _Piece:
    kind, _, name = inner.partition(":")
    if dialect.plain and _WITH_DEFAULT.fullmatch(inner):
        return _Piece(whole, filled=True)
    if dialect.prefixed and kind == "env" and _NAME.fullmatch(name):
        return _Piece(f"${{{name}}}", filled=True)
    if dialect.inputs and kind == "input" and name:
        variable = variable_of(name)
        note = f"the host asks for {whole}; set the environment variable {variable} instead"
        return _Piece(f"${{{variable}}}", filled=True, note=note)
    place = _place(inner, folder) if dialect.folders else None
    if place is not None:
        return _Piece(place)
    nowhere = dialect.folders and inner in _OF_WORKSPACE
    reason = "the file belongs to no workspace" if nowhere else "the host fills nothing in there"
    return _Piece(whole, note=f"{whole} is kept as the text that it is: {reason}")


def variable_of(name: str) -> str:
    """The environment variable that stands for an input of a host: `API_KEY` for `api-key`."""
    words = _NO_LETTER.sub("_", name).strip("_").upper() or "INPUT"
    return words if _NAME.fullmatch(words) else f"_{words}"


def _place(name: str, folder: Path | None) -> str | None:
    places = {"userHome": str(Path.home()), "pathSeparator": os.sep, "/": os.sep}
    if folder is not None:
        places |= {"workspaceFolder": str(folder), "workspaceFolderBasename": folder.name}
    return places.get(name)
