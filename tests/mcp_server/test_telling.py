"""What is told to a model: sizes, order, words."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from gleitzeit.core.diagnostics import Diagnostic
from gleitzeit.core.errors import DocumentError, ValidationError
from gleitzeit.core.models import Event, Failure, Run, TaskResult
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.mcp_server.rendering.answer import Whole, compact, cut, fitting, plain, size
from gleitzeit.mcp_server.rendering.refusal import refused
from gleitzeit.mcp_server.tools.next_step import abandoned_next
from gleitzeit.mcp_server.tools.outcome import method_answer, run_answer
from gleitzeit.mcp_server.tools.ranking import ranked
from gleitzeit.mcp_server.tools.watch import Meter, words


def run(**fields: object) -> Run:
    values: dict[str, object] = {
        "id": "r1",
        "name": "tides",
        "status": "completed",
        "inputs": {},
        "tasks": {"a": TaskResult("a", "completed", {"n": 1})},
        "outputs": {"a": {"n": 1}},
        "created_at": 10.0,
        "finished_at": 11.5,
    }
    return Run(**{**values, **fields})  # type: ignore[arg-type] # the fields are those of a Run


def event(kind: str, task_id: str | None = None, **data: object) -> Event:
    return Event("r1", 1, kind, 0.0, task_id, data)


def test_a_finished_run_shows_its_outputs_in_text_and_data() -> None:
    answer = run_answer(run(), 1_000)
    assert answer.data == {"run_id": "r1", "status": "completed", "outputs": {"a": {"n": 1}}}
    assert answer.text == 'Run r1 (tides): completed after 1.5 s; tasks: 1 completed.\nOutputs: {"a":{"n":1}}'
    assert not answer.failed


def test_a_failed_run_shows_each_task_that_failed_and_what_to_do() -> None:
    failure = Failure("tool_failed", "the file is not there", "check the path")
    tasks = {
        "a": TaskResult("a", "failed", error=failure, attempts=3),
        "b": TaskResult("b", "skipped"),
    }
    answer = run_answer(run(status="failed", tasks=tasks, outputs={}, error=failure), 1_000)
    assert answer.failed
    assert 'task "a" failed after 3 attempts: the file is not there [tool_failed]. Hint: check the path.' in answer.text
    assert answer.data["failed"] == [
        {
            "task_id": "a",
            "status": "failed",
            "attempts": 3,
            "code": "tool_failed",
            "message": "the file is not there",
            "hint": "check the path",
        }
    ]
    assert 'resume_run with {"run_id":"r1"} and the `changes`' in answer.data["next"]


def test_an_unfinished_run_says_how_to_wait_for_it() -> None:
    answer = run_answer(run(status="running", tasks={"a": TaskResult("a", "running")}, finished_at=None), 1_000)
    assert not answer.failed
    assert "Under way: a." in answer.text
    assert '"wait_seconds":30' in answer.data["next"]


def test_a_task_of_unknown_outcome_is_not_called_failed() -> None:
    tasks = {"a": TaskResult("a", "unknown", error=Failure("timeout", "no answer in 30 s", ambiguous=True))}
    answer = run_answer(run(status="waiting", tasks=tasks, finished_at=None), 1_000)
    assert not answer.failed
    assert "may or may not have been carried out" in answer.text
    assert 'resume_run with {"run_id":"r1","unknown":{"a":"..."}}' in answer.data["next"]
    assert "rerun does it once more, skip goes on without it" in answer.data["next"]
    assert (
        method_answer(run(status="waiting", tasks=tasks, finished_at=None), 1_000).data["next"] == answer.data["next"]
    )


def test_a_run_that_was_resumed_points_to_the_one_that_goes_on() -> None:
    closed = Failure("cancelled", "it was resumed", details={"resumed_by": "r2"})
    tasks = {"a": TaskResult("a", "unknown", error=Failure("timeout", "no answer", ambiguous=True))}
    answer = run_answer(run(status="cancelled", tasks=tasks, error=closed), 1_000)
    assert answer.data["next"] == 'it goes on as another run: inspect_run with {"run_id":"r2"}'


def test_a_run_that_was_cancelled_can_be_resumed() -> None:
    answer = run_answer(run(status="cancelled", tasks={"a": TaskResult("a", "cancelled")}), 1_000)
    assert 'resume_run with {"run_id":"r1"}' in answer.data["next"]


def test_a_resumed_run_names_the_one_that_it_goes_on_from() -> None:
    answer = run_answer(run(resumed_from="r0"), 1_000)
    assert answer.data["resumed_from"] == "r0"
    assert answer.text.startswith("Run r1 (tides, resumed from r0): completed")


def test_a_task_that_waits_for_its_next_attempt_says_when_and_why() -> None:
    failure = Failure("provider_unavailable", "busy")
    tasks = {"a": TaskResult("a", "ready", error=failure, attempts=2, not_before=86_400.0)}
    answer = run_answer(run(status="running", tasks=tasks, finished_at=None), 1_000)
    assert 'task "a" waits for its attempt 3, due at 1970-01-02T00:00:00+00:00 after: busy' in answer.text


def test_a_run_that_nobody_carries_out_says_who_could() -> None:
    words = abandoned_next(run(status="running"), {"b/y", "a/x"})
    assert "no process carries this run out right now" in words
    assert "(a/x, b/y)" in words
    assert 'resume_run with {"run_id":"r1"}' in words


def test_the_result_of_a_method_stands_for_the_outputs() -> None:
    assert method_answer(run(), 1_000).data["outputs"] == {"n": 1}
    assert method_answer(run(tasks={"call": TaskResult("call", "completed", [1])}), 1_000).data["outputs"] == {
        "result": [1]
    }


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=3_000), max_size=60), st.integers(400, 20_000))
def test_an_answer_never_outgrows_its_budget_by_much(outputs: dict[str, str], budget: int) -> None:
    answer = run_answer(run(outputs=outputs), budget)
    assert size(answer.text) <= budget + 2_000
    assert ("outputs" in answer.data) == (size(compact(outputs)) <= budget)
    json.dumps(answer.data, allow_nan=False).encode()


def test_outputs_that_are_too_large_are_shown_shortened_with_how_to_read_the_rest() -> None:
    pages = [{"title": f"Page {number}", "text": "low tide " * 1_000} for number in range(200)]
    answer = run_answer(run(outputs={"pages": pages, "count": 200}), 8_000)
    assert answer.data["preview"]["count"] == 200
    assert answer.data["preview"]["pages"][0]["title"] == "Page 0"
    assert answer.data["preview"]["pages"][0]["text"].endswith("… (9000 characters)")
    assert answer.data["preview"]["pages"][-1].endswith("more of 200 items")
    assert 'read_result with {"run_id":"r1","path":"pages[0].text"} (9000 characters)' in answer.data["next"]
    assert size(answer.text) < 8_000
    assert answer.whole == Whole("gleitzeit://runs/r1", "outputs", size(compact({"pages": pages, "count": 200})))


def test_the_result_of_a_method_is_read_on_by_its_task() -> None:
    tasks = {"call": TaskResult("call", "completed", {"text": "x" * 9_000})}
    answer = method_answer(run(tasks=tasks), 2_000)
    assert 'read_result with {"run_id":"r1","task_id":"call","path":"text"} (9000 characters)' in answer.data["next"]
    assert answer.whole is not None
    assert answer.whole.uri == "gleitzeit://runs/r1/tasks/call"


@given(st.text(max_size=200), st.integers(1, 300))
def test_a_cut_text_says_so(text: str, most: int) -> None:
    shown = cut(text, most)
    assert shown == text or f"(cut: {size(text)} bytes)" in shown


def test_what_json_has_no_words_for_becomes_text() -> None:
    assert plain({"x": float("nan"), "y": float("inf")}) == {"x": "NaN", "y": "Infinity"}
    assert plain({1: 2j}) == {"1": "2j"}
    assert plain("\ud800") == "?"


def test_a_list_is_cut_where_the_budget_ends() -> None:
    items = [{"n": number} for number in range(10)]
    assert fitting(items, 21) == items[:3]
    assert fitting(items, 10_000) == items


def test_progress_only_grows_and_ends_at_the_number_of_tasks() -> None:
    meter = Meter({"a": TaskResult("a", "pending"), "b": TaskResult("b", "pending")})
    happened = [
        event("task.started", "a"),
        *(event("task.progress", "a", done=number, total=5) for number in range(5)),
        event("task.completed", "a"),
        event("task.started", "b[0]"),
        event("task.completed", "b[0]"),
        event("task.completed", "b"),
        event("run.completed"),
    ]
    told = [progress for progress in map(meter.after, happened) if progress is not None]
    assert told == sorted(set(told))
    assert told[-1] == 2.0
    assert meter.total == 2


def test_the_progress_of_a_single_task_follows_its_own_count() -> None:
    meter = Meter({"call": TaskResult("call", "running")})
    assert meter.after(event("task.progress", "call", done=3, total=4)) == 0.75
    assert meter.after(event("task.completed", "call")) == 1.0


def test_the_progress_of_what_a_single_task_calls_moves_it_on_but_is_not_its_own_count() -> None:
    meter = Meter({"call": TaskResult("call", "running")})
    happened = [event("task.progress", "call/1", done=done, total=100) for done in (98, 99, 100)]
    told = [progress for progress in map(meter.after, [*happened, event("task.completed", "call/1")]) if progress]
    assert told == sorted(set(told))
    assert (len(told), told[-1] < 0.2) == (3, True)
    assert words(event("task.progress", "call/1", done=3, message="Once")) == "call/1: Once"


def test_events_are_told_in_words() -> None:
    assert words(event("task.progress", "a", done=3, total=4, message="halfway")) == "a: halfway 3/4"
    assert words(event("task.failed", "a", error={"message": "no"})) == "a failed: no"
    assert words(event("task.skipped", "a", reason="its `when` is false")) == "a skipped: its `when` is false"
    assert words(event("run.completed")) == "run completed"


SPECS = [
    MethodSpec("mcp/tool.fs.read_file", "Read the complete contents of a file"),
    MethodSpec("mcp/tool.fs.list_directory", "List files in a directory"),
    MethodSpec("llm/chat", "Chat with a model"),
    MethodSpec("llm/embeddings", "Embed texts as vectors"),
]


def names(query: str) -> list[str]:
    return [spec.name for spec in ranked(query, SPECS)]


def test_an_exact_name_comes_first() -> None:
    assert names("llm/chat")[0] == "llm/chat"
    assert names("chat") == ["llm/chat"]


def test_words_of_the_name_weigh_more_than_those_of_the_description() -> None:
    assert names("read file")[0] == "mcp/tool.fs.read_file"
    assert names("files")[0] in ("mcp/tool.fs.list_directory", "mcp/tool.fs.read_file")
    assert set(names("llm")) == {"llm/chat", "llm/embeddings"}


def test_what_has_nothing_of_the_query_is_left_out() -> None:
    assert names("weather") == []


def test_a_thousand_diagnostics_are_told_by_the_first_of_them() -> None:
    wrong = [Diagnostic("unknown_key", f"unknown key {number}") for number in range(1_000)]
    answer = refused(DocumentError([Diagnostic("unsupported", "not yet", severity="warning"), *wrong]), 32_000)
    told = answer.data["error"]["diagnostics"]
    assert (len(told), told[0]["message"]) == (50, "unknown key 0")
    assert "1001 problems" in answer.text
    assert "and 951 more" in answer.text
    small = refused(DocumentError(wrong), 400)
    assert size(compact(small.data)) < 800
    assert refused(DocumentError(wrong[:1]), 1).data["error"]["diagnostics"] == [wrong[0].to_dict()]


def test_half_a_character_breaks_no_answer() -> None:
    for answer in (
        run_answer(run(name="\ud800", outputs={"a": "\ud800"}), 1_000),
        run_answer(run(status="failed", error=Failure("x", "broke \ud800", "mend \ud800")), 1_000),
        refused(ValidationError("wrong \ud800", hint="\ud800", details={"x": "\ud800"}), 1_000),
        refused(DocumentError([Diagnostic("x", "\ud800")]), 1_000),
    ):
        assert answer.text.encode()
        assert json.dumps(answer.data, ensure_ascii=False).encode()
    assert run_answer(run(name="\ud800"), 1_000).data["run_id"] == "r1"


def test_a_hint_is_a_sentence_unless_it_begins_with_a_name() -> None:
    assert (
        refused(ValidationError("x", hint="list_runs shows them"), 99).text
        == "x [parameters_invalid] list_runs shows them."
    )
    assert (
        refused(ValidationError("x", hint='did you mean "y"?'), 99).text == 'x [parameters_invalid] Did you mean "y"?'
    )
