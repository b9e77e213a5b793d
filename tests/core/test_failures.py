"""An error that was recorded, and raised again."""

from __future__ import annotations

import pytest

from gleitzeit.core.diagnostics import Diagnostic
from gleitzeit.core.errors import ERRORS, DocumentError, GleitzeitError
from gleitzeit.core.models import Failure


def kinds(kind: type[GleitzeitError]) -> set[type[GleitzeitError]]:
    ours = {child for child in kind.__subclasses__() if child.__module__ == GleitzeitError.__module__}
    return ours.union(*map(kinds, ours))


def test_every_error_stands_in_the_table_under_its_code() -> None:
    assert {code: kind.code for code, kind in ERRORS.items()} == {code: code for code in ERRORS}
    assert set(ERRORS.values()) == kinds(GleitzeitError)


@pytest.mark.parametrize("code", [*sorted(ERRORS), "internal"])
def test_an_error_comes_back_as_it_was_recorded(code: str) -> None:
    failure = Failure(code, "it broke", "mend it", True, False, {"n": 1})
    error = failure.to_error()
    assert type(error) is ERRORS.get(code, GleitzeitError)
    assert (error.code, error.message, error.hint, error.details["n"]) == (code, "it broke", "mend it", 1)
    if code != "document_invalid":
        assert Failure.of(error) == failure


def test_a_document_error_comes_back_with_its_diagnostics() -> None:
    problems = (Diagnostic("a", "wrong", "tasks[0]", 3, 4, "mend it"), Diagnostic("b", "odd", severity="warning"))
    first = DocumentError(problems)
    again = Failure.of(first).to_error()
    assert isinstance(again, DocumentError)
    assert again.diagnostics == problems
    assert (again.message, again.details) == (first.message, first.details)
