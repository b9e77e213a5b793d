"""Text -> data, whether it is JSON or YAML."""

from __future__ import annotations

import re
from typing import Any

from gleitzeit.core.errors import DocumentError
from gleitzeit.core.reading.json_text import json_fault, read_json
from gleitzeit.core.reading.source_text import source_text
from gleitzeit.core.reading.text import Text
from gleitzeit.core.reading.yaml_text import read_yaml

_JSON = re.compile(r'\s*[\[{]\s*["}\]{\[]')


def read_data(given: str | bytes) -> Any:
    """The data of a text in JSON or YAML 1.2, null where it is empty.

    Raises `DocumentError` with a diagnostic for each fault of the text.
    """
    text = read_text(source_text(given))
    if text.faults:
        raise DocumentError(text.faults)
    return text.data


def read_text(source: str) -> Text:
    """What a text in JSON or YAML says."""
    if source.lstrip()[:1] in ("{", "["):
        text = read_json(source)
        if text is not None:
            return text
    text = read_yaml(source)
    if text.data is None and text.faults and text.faults[0].code == "yaml_syntax" and _JSON.match(source):
        return Text(faults=(json_fault(source),))
    return text
