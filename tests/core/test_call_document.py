"""The document of a single call."""

from __future__ import annotations

from typing import Any

from gleitzeit.core.call_document import CALL, call_document
from gleitzeit.core.models import Settings
from gleitzeit.core.references import Scope, compile_parameters


def parameters(*given: Any, **options: Any) -> dict[str, Any]:
    return call_document(*given, **options).tasks[0].parameters


def resolved(data: dict[str, Any]) -> Any:
    return compile_parameters("test/do", data).resolve(Scope(secrets={"KEY": "s3cret"}), {})


def test_parameters_come_out_as_they_were_given() -> None:
    given = {"a": "${secrets.KEY} $${x}", "b": [{"c": "$ {n} ${"}], "d": ("${x}", 1, None, True)}
    assert resolved(parameters("test/do", given, ())) == {**given, "d": ["${x}", 1, None, True]}


def test_code_is_left_as_it_is() -> None:
    assert parameters("test/do", {"code": "f'${x}'", "note": "${x}"}, ["code"]) == {
        "code": "f'${x}'",
        "note": "$${x}",
    }


def test_a_secret_is_stored_as_the_reference_to_it() -> None:
    data = parameters("test/do", {"auth": ["Bearer s3cret, ${x}"]}, (), secrets={"KEY": "s3cret", "EMPTY": ""})
    assert data == {"auth": ["Bearer ${secrets.KEY}, $${x}"]}
    assert resolved(data) == {"auth": ["Bearer s3cret, ${x}"]}


def test_it_is_one_task_with_the_limits_that_were_given() -> None:
    settings = Settings(default_timeout=7)
    document = call_document("m" * 200, {}, (), timeout=3, settings=settings)
    (task,) = document.tasks
    assert (task.id, task.method, task.timeout, document.settings) == (CALL, "m" * 200, 3, settings)
    assert len(document.name) == 128


def test_of_a_secret_that_has_another_one_in_it_no_part_is_stored() -> None:
    data = parameters("test/do", {"key": "xs3cretx"}, (), secrets={"KEY": "s3cret", "LONG": "xs3cretx"})
    assert data == {"key": "${secrets.LONG}"}
