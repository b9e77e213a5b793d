"""References: where they are, what they mean, and what they become."""

from __future__ import annotations

from typing import Any

import pytest

from gleitzeit.core.errors import DocumentError, ExpressionError, GleitzeitError, ReferenceUnresolvedError
from gleitzeit.core.expressions import evaluate
from gleitzeit.core.references import Scope, Template, compile_condition, compile_parameters, compile_template

SCOPE = Scope(
    tasks={
        "fetch": {
            "items": [{"name": "a", "size": 1}, {"name": "é", "size": 2}],
            "count": 3,
            "price": 2.5,
            "none": None,
            "ok": True,
        },
        "my-task": {"count": 2, "a b": {"c": 1}},
        "skipped": None,
        "plain": [1, 2, 3],
        "has_result": {"result": 150},
    },
    inputs={"mode": "deep", "limit": 4, "nothing": None},
    run_id="run-1",
    item={"z": 1},
    index=0,
    secrets={"TOKEN": "s3cret"},
)


def resolved(template: Template, scope: Scope = SCOPE) -> Any:
    values = {item.source: evaluate(item.source, item.data(scope)) for item in template.expressions}
    return template.resolve(scope, values)


def filled(value: Any, scope: Scope = SCOPE) -> Any:
    return resolved(compile_template(value), scope)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${fetch.count}", 3),
        ("${fetch.price}", 2.5),
        ("${fetch.ok}", True),
        ("${fetch.none}", None),
        ("${fetch.items}", [{"name": "a", "size": 1}, {"name": "é", "size": 2}]),
        ("${fetch.items[1].name}", "é"),
        ("${ fetch.items[ 0 ].name }", "a"),
        ('${my-task["a b"].c}', 1),
        ("${my-task['a b'].c}", 1),
        ("${my-task.count}", 2),
        ("${tasks.my-task.count}", 2),
        ("${steps.my-task.count}", 2),
        ('${tasks["my-task"].count}', 2),
        ("${inputs.mode}", "deep"),
        ("${input.mode}", "deep"),
        ("${inputs}", {"mode": "deep", "limit": 4, "nothing": None}),
        ("${item.z}", 1),
        ("${index}", 0),
        ("${run.id}", "run-1"),
        ("${secrets.TOKEN}", "s3cret"),
    ],
)
def test_a_whole_reference_keeps_its_type(text: str, value: Any) -> None:
    assert filled(text) == value
    assert type(filled(text)) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("n=${fetch.count}", "n=3"),
        ("${fetch.count}${inputs.mode}", "3deep"),
        ("${fetch.items[1]}!", '{"name":"é","size":2}!'),
        (" ${fetch.none} ${fetch.ok}", " null true"),
        ("$${fetch.count}", "${fetch.count}"),
        ("$$${fetch.count}", "$${fetch.count}"),
        ("cost: $5 and $x", "cost: $5 and $x"),
        ('${"}" + inputs.mode}', "}deep"),
        ("${'a}b{c'}", "a}b{c"),
        ('${{"a": {"b": fetch.count}}}', {"a": {"b": 3}}),
        ('${{"a": 1}} and }', '{"a":1} and }'),
        ('${"{{ x }}"}', "{{ x }}"),
    ],
)
def test_inside_text_values_are_text_or_compact_json(text: str, value: Any) -> None:
    assert filled(text) == value


def test_resolved_values_are_never_scanned_again() -> None:
    scope = Scope(tasks={"evil": {"text": "${secrets.TOKEN} $${x}"}}, secrets={"TOKEN": "s3cret"})
    assert filled({"a": "${evil.text}", "b": ["<${evil.text}>"]}, scope) == {
        "a": "${secrets.TOKEN} $${x}",
        "b": ["<${secrets.TOKEN} $${x}>"],
    }


def test_a_value_without_references_is_returned_as_it_is() -> None:
    value = {"a": [1, {"b": "text"}], "c": "$ { }"}
    template = compile_template(value)
    assert template.static
    assert template.resolve(SCOPE) is value


def test_the_template_is_not_changed_by_resolving_it() -> None:
    value = {"list": ["${fetch.count}", {"deep": "${inputs.mode}"}], "same": [1]}
    assert filled(value) == {"list": [3, {"deep": "deep"}], "same": [1]}
    assert value == {"list": ["${fetch.count}", {"deep": "${inputs.mode}"}], "same": [1]}


def test_roots_and_inputs_are_known_without_running() -> None:
    template = compile_template(
        ["${fetch.count}", "${size(plain) + inputs.limit}", '${tasks["my-task"].count > 1}', "${item}"]
    )
    assert template.roots == {"fetch", "plain", "my-task"}
    assert template.inputs == {"limit"}
    assert [item.source for item in template.expressions] == [
        "size(plain) + inputs.limit",
        'tasks["my-task"].count > 1',
    ]


def test_the_whole_result_is_result_where_it_has_no_such_field() -> None:
    assert filled("${plain.result}") == [1, 2, 3]
    assert filled("${plain.result[2]}") == 3
    assert filled("${fetch.result.count}") == 3
    assert filled("${has_result.result}") == 150
    assert filled("${size(plain.result)}") == 3
    assert filled("${fetch.result.count + fetch.count}") == 6


def test_what_was_skipped_is_null_with_all_its_fields() -> None:
    assert filled("${skipped}") is None
    assert filled("${skipped.a.b[3]}") is None
    assert filled("x${skipped.a}") == "xnull"
    assert filled("${skipped.a == null}") is True
    assert filled("${has(skipped.a)}") is False


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("${fetch.itms}", ["items, count", 'did you mean "items"?']),
        ("${fetch.items[7]}", ["2 items", "[7]"]),
        ("${fetch.items.name}", ["list of 2", "fetch.items[0]"]),
        ("${fetch.count.x}", ["a whole number"]),
        ("${fetch.none.x}", ["null"]),
        ("${gone.x}", ["gone"]),
        ("${secrets.TOKE}", ['did you mean "TOKEN"?']),
    ],
)
def test_what_is_not_there_is_named_with_what_there_is(text: str, words: list[str]) -> None:
    with pytest.raises(ReferenceUnresolvedError) as caught:
        filled(text)
    told = f"{caught.value.message} {caught.value.hint}"
    assert all(word in told for word in words), told
    assert "s3cret" not in told


def test_item_and_index_are_only_there_in_a_foreach() -> None:
    for text in ("${item}", "${index}"):
        with pytest.raises(ReferenceUnresolvedError) as caught:
            filled(text, Scope())
        assert "foreach" in str(caught.value.hint)
    assert filled("${item}", Scope(item=None, index=0)) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("${", "reference_invalid"),
        ("${fetch", "reference_invalid"),
        ("${}", "reference_invalid"),
        ("${  }", "reference_invalid"),
        ("${{ fetch.x }}", "foreign_reference"),
        ("${secrets}", "reference_invalid"),
        ("${secrets.A.B}", "reference_invalid"),
        ("${run.other}", "reference_invalid"),
        ("${index.x}", "reference_invalid"),
        ("${tasks}", "reference_invalid"),
        ("${tasks[item]}", "expression_invalid"),
        ("${secrets.TOKEN + 'x'}", "secret_misplaced"),
        ("${upper(fetch.x)}", "unknown_function"),
        ("${fetch.x +}", "expression_invalid"),
        ("${" + "a + " * 300 + "a}", "limit"),
        ("${a.map(i, b.map(j, j))}", "limit"),
        ("${" + "(" * 40 + "1" + ")" * 40 + "}", "limit"),
    ],
)
def test_a_malformed_reference_has_one_diagnostic(text: str, code: str) -> None:
    with pytest.raises(DocumentError) as caught:
        compile_template({"x": [text]})
    assert [item.code for item in caught.value.diagnostics] == [code]


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        ("fetch.count > 2", True),
        ("${fetch.count > 5}", False),
        ("${fetch.ok}", True),
        ("fetch.ok", True),
        ("my-task.count", None),
        (True, True),
        (False, False),
        ("skipped == null", True),
    ],
)
def test_a_condition_is_true_or_false(condition: str | bool, value: bool | None) -> None:
    template = compile_condition(condition)
    if value is None:
        with pytest.raises(ExpressionError, match="neither true nor false"):
            resolved(template)
    else:
        assert resolved(template) is value


@pytest.mark.parametrize("condition", ["fetch.none", "inputs.mode", "fetch.items"])
def test_a_condition_that_is_no_truth_says_what_it_was(condition: str) -> None:
    with pytest.raises(ExpressionError, match="neither true nor false"):
        resolved(compile_condition(condition))


def test_code_is_not_filled() -> None:
    template = compile_parameters(
        "python/execute", {"code": "print('${fetch.count}')", "args": "${fetch.count}"}, ["code"]
    )
    assert template.roots == {"fetch"}
    assert resolved(template) == {"code": "print('${fetch.count}')", "args": 3}


def test_the_references_of_an_inner_workflow_are_its_own() -> None:
    inner = {"tasks": [{"id": "x", "method": "a/b", "parameters": {"y": "${other.z}"}}]}
    template = compile_parameters("workflow/run", {"workflow": inner, "inputs": {"n": "${fetch.count}"}})
    assert template.roots == {"fetch"}
    assert resolved(template) == {"workflow": inner, "inputs": {"n": 3}}
    assert compile_parameters("workflow/run", {"workflow": "${plan.document}"}).roots == {"plan"}


def test_a_failure_is_an_error_of_the_tree() -> None:
    for text in ("${fetch.count / 0}", "${fetch.count + 'a'}", "${fetch.items[9].name + 'x'}"):
        with pytest.raises(GleitzeitError):
            filled(text)


def test_a_field_that_is_not_there_comes_with_what_there_is() -> None:
    with pytest.raises(ReferenceUnresolvedError) as caught:
        compile_template("${fetch.output}").resolve(Scope(tasks={"fetch": {"rows": []}}))
    assert caught.value.hint == "all of it is ${fetch}"
