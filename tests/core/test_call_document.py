"""The document of a single call."""

from __future__ import annotations

from typing import Any

from gleitzeit.core.call_document import CALL, call_document
from gleitzeit.core.references import Scope, compile_parameters


def parameters(*given: Any) -> dict[str, Any]:
    return call_document(*given).tasks[0].parameters


def test_parameters_come_out_as_they_were_given() -> None:
    given = {"a": "${secrets.KEY} $${x}", "b": [{"c": "$ {n} ${"}], "d": ("${x}", 1, None, True)}
    quoted = parameters("test/do", given, ())
    resolved = compile_parameters("test/do", quoted).resolve(Scope(secrets={"KEY": "s3cret"}), {})
    assert resolved == {**given, "d": ["${x}", 1, None, True]}


def test_code_is_left_as_it_is() -> None:
    assert parameters("test/do", {"code": "f'${x}'", "note": "${x}"}, ["code"]) == {
        "code": "f'${x}'",
        "note": "$${x}",
    }


def test_it_is_one_task_with_the_limit_that_was_given() -> None:
    document = call_document("m" * 200, {}, (), timeout=3)
    (task,) = document.tasks
    assert (task.id, task.method, task.timeout) == (CALL, "m" * 200, 3)
    assert len(document.name) == 128
