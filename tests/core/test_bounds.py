"""Small documents that ask for much work or memory."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from gleitzeit.core.check import check
from gleitzeit.core.diagnostics import nearest
from gleitzeit.core.document import read
from gleitzeit.core.errors import LimitError
from gleitzeit.core.references import LONGEST_TEXT, Scope, compile_template


def cpu_seconds(work: Callable[[], object]) -> float:
    def once() -> float:
        started = time.process_time()
        work()
        return time.process_time() - started

    return min(once() for _ in range(3))


def test_a_guess_among_many_long_names_is_quick() -> None:
    names = [f"{'the_very_long_name_of_a_task_' * 3}{number}" for number in range(1000)]
    nearest("warm_the_cache_of_pairs", names)
    assert cpu_seconds(lambda: nearest("the_very_long_name_of_a_tusk_" * 3, names)) < 0.1


def test_a_guess_still_finds_the_one_that_was_meant() -> None:
    names = [f"step_{number}" for number in range(500)] + ["fetch_reports"]
    assert nearest("fetch_report", names) == "fetch_reports"
    assert nearest("depndencies", ["dependencies", "description", "parameters"]) == "dependencies"
    assert nearest("q", ["dependencies"]) is None
    assert nearest("x" * 5000, ["x" * 5000]) is None


def test_many_mistyped_references_are_told_in_a_moment() -> None:
    stem = "a_name_that_is_about_sixty_characters_long_and_much_alike_"
    tasks = [
        {"id": f"{stem}{number}", "method": "a/b", "parameters": {"x": f"${{{stem}x{number}.y}}"}}
        for number in range(300)
    ]
    reading = read({"tasks": tasks})
    assert len(check(reading)) == 300
    assert cpu_seconds(lambda: check(reading)) < 2


def test_aliases_of_a_long_text_are_counted_by_its_length() -> None:
    items = "\n".join(["      - *text"] * 5000)
    text = f"tasks:\n  - id: a\n    method: a/b\n    parameters:\n      x: &text {'x' * 50_000}\n      y:\n{items}\n"
    (problem,) = read(text).diagnostics
    assert problem.code == "limit"
    assert "aliases" in problem.message


def test_a_text_with_references_has_a_greatest_length() -> None:
    template = compile_template("${inputs.t}" * 20)
    scope = Scope({}, {"t": "x" * (LONGEST_TEXT // 10)}, "run")
    with pytest.raises(LimitError, match="characters"):
        template.resolve(scope)
