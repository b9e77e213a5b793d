"""What the YAML parser complains about, in plain words."""

from __future__ import annotations

import yaml

_HINTS: tuple[tuple[str, str, str], ...] = (
    ("'\\t'", "a tab stands where YAML wants spaces", "indent with spaces"),
    ("cannot start any token", "a value begins with a character that YAML reserves", "put the value in quotes"),
    (
        "mapping values are not allowed",
        "a colon stands where no key can be",
        'put text with ": " in quotes, or check the indentation',
    ),
    (
        "did not find expected ',' or",
        "a list or object in brackets is not closed, or a comma is missing",
        "close it; put ${...} inside [ ] or { } in quotes",
    ),
    ("did not find expected key", "the indentation does not fit the lines before", "indent keys of one object alike"),
    (
        "did not find expected '-' indicator",
        "the indentation does not fit the list before",
        "indent the items of one list alike",
    ),
    (
        "could not find expected ':'",
        'a key has no ": " after it',
        'write "key: value"; the lines of a longer text stand deeper, after "key: |"',
    ),
    ("unexpected end of stream", "a text in quotes is not closed", "close the quotation mark"),
    (
        "did not find expected node content",
        "a value is missing or begins with a character that YAML reserves",
        "put the value in quotes",
    ),
    (
        "did not find expected alphabetic or numeric",
        "* and & begin an alias or an anchor",
        "put text that begins with * or & in quotes",
    ),
    (
        "unknown escape character",
        "a backslash in double quotes is not an escape that YAML has",
        "use single quotes, or write \\\\",
    ),
    (
        "control characters are not allowed",
        "the text has control characters, as binary files have",
        "submit YAML or JSON text",
    ),
    (
        "special characters are not allowed",
        "the text has control characters, as binary files have",
        "submit YAML or JSON text",
    ),
    ("undefined tag handle", "a tag is not allowed", "put text that begins with ! in quotes"),
    (
        "expected <document start>",
        "something stands after the end of the document",
        "indent it under a key, or remove it",
    ),
)


def explain(error: yaml.YAMLError, line: str) -> tuple[str, str | None]:
    """A message and a hint for a syntax error; `line` is the line it stands in."""
    words = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return _HINTS[0][1], _HINTS[0][2]
    for pattern, message, hint in _HINTS:
        if pattern in words:
            return message, hint
    return f"this is not YAML: {words}", None
