"""CEL as a person expects it, on no more data than it needs."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from gleitzeit.core.errors import ExpressionError, LimitError
from gleitzeit.core.expressions import MAX_NODES, MAX_TEXT, compile_expression, evaluate
from gleitzeit.core.references import Scope


def value(source: str, **tasks: Any) -> Any:
    return evaluate(source, compile_expression(source).data(Scope(tasks=tasks)))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x + 1.5", 4.5),
        ("x * 2.0", 6),
        ("x / 2", 1),
        ("x / 2.0", 1.5),
        ("x > 2.5", True),
        ("x == 3.0", True),
        ("f + 1", 3.5),
        ("f * x + 1", 8.5),
        ("size(items) * 1.5", 4.5),
        ("items.size() / 2.0", 1.5),
        ("x % 2 + 0.5", 1.5),
        ("[x, f].map(i, i * 2)", [6, 5]),
        ("items.map(i, i * 1.5)", [1.5, 3, 4.5]),
        ("x > 2 ? x + 0.5 : 0", 3.5),
        ("items[1] + 0.5", 2.5),
        ('{"a": x * 1.5, "b": items[0] + 0.5}', {"a": 4.5, "b": 1.5}),
        ("-x + 0.5", -2.5),
        ("(x + 1) * 0.5", 2),
        ("double(x) + 1", 4),
        ('string(x) + "!"', "3!"),
    ],
)
def test_whole_numbers_and_others_go_together(source: str, expected: Any) -> None:
    assert value(source, x=3, f=2.5, items=[1, 2, 3]) == expected


def test_a_whole_result_is_an_int() -> None:
    assert type(value("x * 2.0", x=3)) is int
    assert type(value("x * 1.5", x=3)) is float


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('timestamp("2024-01-01T00:00:00Z") + duration("1h")', "2024-01-01T01:00:00Z"),
        ('duration("90s")', "90s"),
        ('b"abc"', "abc"),
        ("{7: 2, true: 3}", {"7": 2, "true": 3}),
        ("null", None),
        ("type(1)", "int"),
    ],
)
def test_results_are_json_data(source: str, expected: Any) -> None:
    assert value(source) == expected


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("x + t", "text"),
        ("x / 0", "division by zero"),
        ("x + 9223372036854775807", "64 bits"),
        ("t > 3", "t is text"),
        ("o.b > 1", "fields there are: a, c"),
        ("items[7]", "index out of bounds"),
        ("big + 1", "64 bits"),
        ("1.0 / 0.0", "finite"),
        ("nobody > 1", "nobody"),
    ],
)
def test_errors_are_in_plain_words(source: str, words: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        value(source, x=3, t="text", o={"a": 1, "c": 2}, items=[1, 2], big=2**70)
    assert words in caught.value.message
    assert "overload" not in caught.value.message


def test_only_what_is_referred_to_is_passed_on() -> None:
    scope = Scope(tasks={"fetch": {"items": [1], "huge": "x" * 10}, "other": {"x": 1}}, inputs={"a": 1, "b": 2})
    assert compile_expression("size(fetch.items) > inputs.a").data(scope) == {
        "fetch": {"items": [1]},
        "inputs": {"a": 1},
    }
    assert compile_expression("fetch.items[0] > 1").data(scope) == {"fetch": {"items": [1]}}
    assert compile_expression('tasks["other"].x == 1').data(scope) == {"tasks": {"other": {"x": 1}}}
    assert compile_expression("has(fetch.nope)").data(scope) == {"fetch": {}}
    assert compile_expression("fetch == null || fetch.items == []").data(scope) == {"fetch": scope.tasks["fetch"]}


def test_items_that_are_not_read_are_not_passed_on() -> None:
    rows = [{"name": f"n{number}", "text": "long"} for number in range(3)]
    assert compile_expression("rows[1].name").data(Scope(tasks={"rows": rows})) == {
        "rows": [None, {"name": "n1"}, None]
    }


def test_more_data_than_cel_may_be_given_is_refused() -> None:
    for tasks in ({"a": list(range(MAX_NODES + 1))}, {"a": "x" * (MAX_TEXT + 1)}, {"a": ["é" * (MAX_TEXT // 2)]}):
        with pytest.raises(LimitError) as caught:
            compile_expression("size(a) > 0").data(Scope(tasks=tasks))
        assert "method of your own" in str(caught.value.hint)
    assert compile_expression("size(a) > 0").data(Scope(tasks={"a": list(range(MAX_NODES - 2))}))


def test_deep_data_does_not_break_it() -> None:
    deep: Any = 1
    for _ in range(200):
        deep = [deep]
    assert value("size(a)", a=deep) == 1


def test_evaluating_needs_neither_rich_nor_prompt_toolkit() -> None:
    code = (
        "import sys; from gleitzeit.core.expressions import evaluate; assert 'cel' not in sys.modules\n"
        "assert evaluate('1 + x', {'x': 1}) == 2\n"
        "wrong = {'rich', 'prompt_toolkit', 'typer', 'jsonschema', 'cel.cli'} & set(sys.modules)\n"
        "assert not wrong, wrong"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
