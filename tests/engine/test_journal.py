"""The journal of the calls that a task's code makes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from gleitzeit.core.digest import digest
from gleitzeit.core.errors import GleitzeitError, LimitError, ProviderError
from gleitzeit.core.models import Failure, TaskState
from gleitzeit.engine.local.journal import MOST_CALLS, Call, Entry, Journal, another_way
from gleitzeit.store.base import TaskRow


def call(name: str, **kind: bool) -> Call:
    return Call("test/do", digest("test/do", name), name, **kind)


def row(entry: Entry, state: TaskState = "completed", **fields: Any) -> TaskRow:
    return TaskRow(entry.key, state, entry.attempts, metadata=entry.facts, **fields)


def past(*names: str, state: TaskState = "completed", **kind: bool) -> list[TaskRow]:
    """The rows of an attempt that made these calls one after the other."""
    journal = Journal("a")
    return [row(journal.take(call(name, **kind)), state, result={"is": name}) for name in names]


def keys(entries: Sequence[Entry]) -> list[str]:
    return [entry.key for entry in entries]


def test_calls_are_numbered_in_the_order_in_which_they_are_first_made() -> None:
    journal = Journal("a[3]")
    entries = [journal.take(call(name)) for name in "xyx"]
    assert keys(entries) == ["a[3]/1", "a[3]/2", "a[3]/3"]
    assert [(entry.occurrence, entry.attempts, entry.known) for entry in entries] == [
        (1, 1, None),
        (1, 1, None),
        (2, 1, None),
    ]


def test_a_completed_call_is_known_again_and_the_next_one_is_new() -> None:
    rows = past("x", "y")
    journal = Journal("a", rows)
    assert [journal.take(call(name)).known for name in "xy"] == rows
    new = journal.take(call("z"))
    assert (new.key, new.known) == ("a/3", None)


def test_the_same_call_several_times_gives_its_results_in_order() -> None:
    rows = past("x", "x", "x")
    journal = Journal("a", rows[::-1])
    assert [journal.take(call("x")).known for _ in rows] == rows
    assert journal.take(call("x")).occurrence == 4


def test_a_failed_call_is_made_again_under_its_own_key() -> None:
    failed = row(Journal("a").take(call("x")), "failed", failure=Failure("provider_failed", "no"))
    entry = Journal("a", [failed]).take(call("x"))
    assert (entry.key, entry.attempts, entry.occurrence, entry.known) == ("a/1", 2, 1, None)


def test_code_that_called_again_after_a_failure_gets_the_result_of_that_and_nothing_is_sent_twice() -> None:
    journal = Journal("a")
    failed = row(journal.take(call("send")), "failed", failure=Failure("provider_failed", "no"))
    sent = row(journal.take(call("send")))
    assert Journal("a", [failed, sent]).take(call("send")).known == sent
    cut_off = row(Entry(call("send"), "a/2", 2), "running")
    with pytest.raises(GleitzeitError, match="nobody knows"):
        Journal("a", [failed, cut_off]).take(call("send"))


@pytest.mark.parametrize("state", ["running", "cancelled", "unknown"])
def test_a_call_that_was_cut_off_is_ambiguous(state: TaskState) -> None:
    with pytest.raises(GleitzeitError) as caught:
        Journal("a", past("x", state=state)).take(call("x"))
    assert (caught.value.code, caught.value.ambiguous, caught.value.retryable) == ("interrupted", True, False)
    assert "test/do x (a/1)" in caught.value.message


@pytest.mark.parametrize("kind", [{"repeatable": True}, {"resumes": True}])
def test_a_call_that_was_cut_off_is_made_again_where_that_does_no_harm(kind: dict[str, bool]) -> None:
    entry = Journal("a", past("x", state="running")).take(call("x", **kind))
    assert (entry.key, entry.attempts) == ("a/1", 2)


def test_a_task_may_allow_what_is_ambiguous() -> None:
    assert Journal("a", past("x", state="running"), ambiguous=True).take(call("x")).attempts == 2


@pytest.mark.parametrize("kind", [{}, {"resumes": True}])
def test_an_ambiguous_failure_is_raised_again_in_its_own_words(kind: dict[str, bool]) -> None:
    failure = Failure("connection_lost", "gone while sending", retryable=True, ambiguous=True)
    rows = [row(Entry(call("x"), "a/1", 1), "failed", failure=failure)]
    with pytest.raises(ProviderError, match="gone while sending") as caught:
        Journal("a", rows).take(call("x", **kind))
    assert caught.value.ambiguous
    assert Journal("a", rows).take(call("x", repeatable=True)).attempts == 2


def test_a_new_call_passes_over_one_that_had_an_effect() -> None:
    rows = past("x", "y")
    journal = Journal("a", rows)
    assert journal.passed_over(call("z")) == rows[0]
    assert journal.passed_over(call("y")) is None
    journal.take(call("x"))
    assert journal.passed_over(call("z")) == rows[1]
    journal.take(call("y"))
    assert journal.passed_over(call("z")) is None


def test_calls_that_only_read_are_passed_over_and_pass_others_over() -> None:
    assert Journal("a", past("x", read_only=True)).passed_over(call("z")) is None
    assert Journal("a", past("x")).passed_over(call("z", read_only=True)) is None


@pytest.mark.parametrize(
    ("failure", "passed"),
    [(Failure("provider_failed", "no"), False), (Failure("timeout", "late", ambiguous=True), True)],
)
def test_a_failed_call_counts_only_where_it_may_have_had_an_effect(failure: Failure, passed: bool) -> None:
    rows = [row(Entry(call("x"), "a/1", 1), "failed", failure=failure)]
    assert (Journal("a", rows).passed_over(call("z")) is not None) == passed


def test_a_repeatable_call_takes_the_number_of_one_of_which_nothing_was_written() -> None:
    kind: dict[str, Any] = {"repeatable": True}
    rows = past("w", "x", "y", "z", **kind)
    journal = Journal("a", [rows[1], rows[3]])
    assert journal.passed_over(call("w", **kind)) is None
    assert journal.passed_over(call("other")) == rows[1]
    assert journal.take(call("w", **kind)).key == "a/1"
    assert journal.passed_over(call("other", **kind)) == rows[1]
    assert [journal.take(call(name, **kind)).key for name in "xyz"] == ["a/2", "a/3", "a/4"]
    assert journal.take(call("new", **kind)).key == "a/5"


def test_a_call_with_an_effect_never_takes_a_number_that_is_missing() -> None:
    assert Journal("a", past("x", "y")[1:]).take(call("z")).key == "a/3"


def test_the_identity_of_a_call_does_not_depend_on_what_was_written_of_others() -> None:
    kind = {"repeatable": True}
    journal = Journal("a")
    made = [journal.take(call(name, **kind)) for name in "xyxx"]
    rows = [row(made[1]), row(made[2])]
    journal = Journal("a", rows)
    again = [journal.take(call(name, **kind)) for name in "xxyx"]
    assert sorted(entry.identity for entry in again) == sorted(entry.identity for entry in made)


def test_hundreds_of_calls_are_found_again_in_any_order() -> None:
    names = [str(number % 150) for number in range(400)]
    rows = past(*names)
    shuffled = random.Random(7)
    shuffled.shuffle(names)
    journal = Journal("a", rows)
    entries = [journal.take(call(name)) for name in names]
    assert sorted(keys(entries)) == sorted(row.key for row in rows)
    assert all(
        entry.known is not None and entry.known.result == {"is": name}
        for entry, name in zip(entries, names, strict=True)
    )


def test_a_task_makes_ten_thousand_calls_and_no_more() -> None:
    last = row(Entry(call("x"), f"a/{MOST_CALLS - 1}", 1))
    journal = Journal("a", [last])
    assert journal.take(call("y")).key == f"a/{MOST_CALLS}"
    with pytest.raises(LimitError, match="10,000 calls"):
        journal.take(call("z"))
    assert journal.take(call("x")).known == last


def test_another_way_names_both_calls() -> None:
    error = another_way("a", past("before")[0], call("now"))
    assert error.code == "conflict"
    assert "test/do before (a/1)" in error.message
    assert "test/do now" in error.message
    assert error.hint
