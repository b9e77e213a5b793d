"""Data as people write it in files: JSON, and YAML as its version 1.2 has it."""

from __future__ import annotations

from typing import Any

import pytest

from gleitzeit.core.errors import DocumentError
from gleitzeit.core.reading.data_text import read_data


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("a: no\nb: 2024-01-01\nc: 010\nd: true\n", {"a": "no", "b": "2024-01-01", "c": "010", "d": True}),
        ('{"a": [1, 2.5, null]}', {"a": [1, 2.5, None]}),
        (b"\xef\xbb\xbfname: caf\xc3\xa9", {"name": "café"}),
        ("- 1\n- 2\n", [1, 2]),
        ("", None),
        ("# nothing\n", None),
    ],
)
def test_words_are_text_and_only_json_types_come_out(text: str | bytes, data: Any) -> None:
    assert read_data(text) == data


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("a: 1\na: 2\n", "duplicate_key", 2),
        ("a: 1\nb: [1\n", "yaml_syntax", 3),
        ('{"a": 1,\n "b" 2}', "json_syntax", 2),
        ("a: !!python/object:os.system x\n", "yaml_tag", 1),
        ("a: .inf\n", "not_json", 1),
        ("a: 1\n---\nb: 2\n", "several_documents", 2),
        (b"a: 1\nb: \xff\n", "binary", 2),
    ],
)
def test_each_fault_is_told_with_its_line(text: str | bytes, code: str, line: int) -> None:
    with pytest.raises(DocumentError) as caught:
        read_data(text)
    assert [(fault.code, fault.line) for fault in caught.value.diagnostics] == [(code, line)]
