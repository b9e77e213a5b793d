"""No expression that is light enough for the event loop holds it up."""

from __future__ import annotations

import itertools
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gleitzeit.core.errors import GleitzeitError
from gleitzeit.core.expressions import LIGHT, MAX_NODES, compile_expression, evaluate
from gleitzeit.core.references import Scope

MOST = 0.05
UNHURRIED = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)

SHAPES: tuple[str, ...] = (
    "a",
    "a == b",
    "a + a",
    "a in b",
    "size(a)",
    "a.map(i, i)",
    "a.map(i, [i, i])",
    "a.map(i, b)",
    "a.map(i, [b, b, i])",
    "a.map(i, {'x': b, 'y': i})",
    "a.filter(i, i != 3)",
    "a.filter(i, b == b)",
    "a.all(i, i in b)",
    "a.exists(i, i == b)",
    "a.exists_one(i, i == 5)",
    "a.map(i, [i, i]).map(i, [i, i]).map(i, [i, i])",
    "a.map(i, [i, i, i, i]).filter(i, size(i) > 1).map(i, [i, i, b])",
    "(a + a + a).map(i, i)",
    "(a + b).filter(i, true).filter(i, true)",
    "a.map(i, i == b, [i, b])",
    "[a, a, a, b, b, b] == [a, a, a, b, b, b]",
    "s.matches('(x|y)*z')",
    "s.matches('[a-z]+[0-9]*$')",
    "a.filter(i, s.matches('x+y'))",
    "a.exists(i, s.contains(string(i)))",
    "a.map(i, s)",
    "a.map(i, s + s)",
    "s + s == s + s",
    "[s, s, s].map(i, i + i + i)",
    "{'a': a, 'b': b}.map(k, k)",
    "a.map(i, i).size() + 1.5",
    "a.map(i, string(i) + s)",
    "o.map(k, o[k])",
    "o.filter(k, o[k] == a)",
    "' '.contains(s)",
    " + ".join(["a"] * 100),
    " + ".join(["s"] * 100),
    " || ".join(["a == b"] * 60),
    "[" * 30 + "a" + "]" * 30,
    "-" * 900 + "1",
    "true ? " * 25 + "a" + " : b" * 25,
    " + ".join(["1"] * 300),
    "a.map(i, [" + ", ".join(["b"] * 100) + "])",
    "a.map(i, [" + ", ".join(["i"] * 200) + "])",
    "a.map(i, [" + ", ".join(["i"] * 60) + "]).map(i, [" + ", ".join(["i"] * 60) + "])",
)

SIZES = (0, 1, 30, 300, 3_000, MAX_NODES - 200)
TEXTS = (0, 1_000, 100_000, 1_000_000)


def _scope(items: int, text: int, *, deep: bool = False) -> Scope:
    listed: list[Any] = [{"x": number, "y": [number]} for number in range(items // 4)] if deep else list(range(items))
    return Scope(
        tasks={
            "a": listed,
            "b": listed[: max(1, items // 3)],
            "s": "x" * text,
            "o": {f"key{number}": number for number in range(items // 2)},
        }
    )


def _seconds(source: str, scope: Scope) -> float | None:
    """How long a light expression takes, at the best of three; nothing for a heavy or refused one."""
    try:
        expression = compile_expression(source)
        data = expression.data(scope)
    except GleitzeitError:
        return None
    if expression.weight(data) > LIGHT:
        return None
    return min(_once(source, data) for _ in range(3))


def _once(source: str, data: dict[str, Any]) -> float:
    started = time.process_time()
    with suppress(GleitzeitError):
        evaluate(source, data)
    return time.process_time() - started


@pytest.mark.parametrize("source", SHAPES, ids=range(len(SHAPES)))
def test_a_light_expression_is_over_before_anyone_notices(source: str) -> None:
    evaluate("1 + 1", {})
    for items, text, deep in itertools.product(SIZES, TEXTS, (False, True)):
        taken = _seconds(source, _scope(items, text, deep=deep))
        assert taken is None or taken < MOST, (source, items, text, deep)


@pytest.mark.parametrize(
    "source",
    ["size(a) > 0 && s == 'deep'", "a.filter(i, i > 2)", "a.map(i, i)", "s.matches('^x+$')", "a.exists(i, i == 5)"],
)
def test_everyday_expressions_are_light(source: str) -> None:
    expression = compile_expression(source)
    assert expression.weight(expression.data(_scope(20, 100))) < LIGHT


def test_a_comprehension_over_thousands_is_heavy() -> None:
    expression = compile_expression("a.filter(i, i > 2)")
    assert expression.weight(expression.data(_scope(5_000, 0))) > LIGHT


_leaf = st.sampled_from(["a", "b", "s", "o", "1", "2.5", "'x'", "a[0]", "o.key0", "size(a)", "s.size()", "i"])
_body = st.recursive(
    _leaf,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "==", "in", "&&", "<", "*"]), inner).map(
            lambda parts: f"({' '.join(parts)})"
        ),
        st.lists(inner, min_size=1, max_size=4).map(lambda parts: f"[{', '.join(parts)}]"),
        st.tuples(inner, inner).map(lambda parts: f"{{'p': {parts[0]}, 'q': {parts[1]}}}"),
        inner.map(lambda part: f"string({part})"),
        st.tuples(inner, inner).map(lambda parts: f"{parts[0]}.contains({parts[1]})"),
    ),
    max_leaves=8,
)
_macro = st.tuples(st.sampled_from(["map", "filter", "all", "exists"]), _body).map(
    lambda parts: f".{parts[0]}(i, {parts[1]})"
)
_chains = st.tuples(st.sampled_from(["a", "b", "o", "(a + b)", "[s, s]", "[a, b]"]), st.lists(_macro, max_size=3)).map(
    lambda parts: parts[0] + "".join(parts[1])
)


@settings(max_examples=150, deadline=None, suppress_health_check=UNHURRIED)
@given(
    source=st.one_of(_chains, _body),
    items=st.sampled_from(SIZES),
    text=st.sampled_from(TEXTS),
    deep=st.booleans(),
)
def test_whatever_the_bound_calls_light_is_fast(source: str, items: int, text: int, deep: bool) -> None:
    evaluate("1 + 1", {})
    taken = _seconds(source, _scope(items, text, deep=deep))
    assert taken is None or taken < MOST
