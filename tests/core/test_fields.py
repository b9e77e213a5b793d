"""Fields of results, inputs and items are held against what is declared of them; what is not declared is left alone."""

from __future__ import annotations

import time
from typing import Any

import pytest

from gleitzeit.core.check import Saved, Specs, check
from gleitzeit.core.diagnostics import Diagnostic
from gleitzeit.core.document import read
from gleitzeit.core.protocol import MethodSpec


def closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


USER = closed(name={"type": "string"}, age={"type": ["integer", "null"]})
FETCHED: dict[str, Any] = {
    "type": "object",
    "properties": {
        "items": {"type": "array", "items": {"$ref": "#/$defs/User"}},
        "first": {"anyOf": [{"$ref": "#/$defs/User"}, {"type": "null"}]},
        "both": {"allOf": [{"$ref": "#/$defs/Open"}, {"properties": {"extra": {"type": "string"}}}]},
        "pair": {"type": "array", "prefixItems": [USER, {"type": "string"}], "items": False},
        "count": {"type": "integer"},
        "title": {"type": "string"},
        "by_name": {"type": "object", "additionalProperties": {"$ref": "#/$defs/User"}},
        "patterned": {"type": "object", "patternProperties": {"^x-": {}}, "additionalProperties": False},
        "any": {},
        "loop": {"$ref": "#/$defs/Loop"},
    },
    "additionalProperties": False,
    "$defs": {
        "User": USER,
        "Open": {"type": "object", "properties": {"shown": {"type": "string"}}},
        "Loop": {"properties": {"next": {"$ref": "#/$defs/Loop"}}, "additionalProperties": False},
    },
}
SPECS: Specs = {
    "api/fetch": MethodSpec("api/fetch", returns=FETCHED),
    "api/open": MethodSpec("api/open", returns={"type": "object", "properties": {"rows": {"type": "array"}}}),
    "api/list": MethodSpec("api/list", returns={"type": "array", "items": USER}),
    "api/unsaid": MethodSpec("api/unsaid"),
    "api/unsayable": MethodSpec("api/unsayable", returns={"anyOf": [{"$ref": "#/nowhere"}, 5, True], "type": 7}),
    "api/put": MethodSpec(
        "api/put",
        parameters={
            "type": "object",
            "properties": {
                "text": {"type": "string"},
                "n": {"type": "number"},
                "list": {"type": "array", "items": {"type": "string"}},
                "on": closed(deep={"type": "boolean"}),
                "x": {},
            },
        },
    ),
    "workflow/run": MethodSpec("workflow/run", returns={"type": "object"}),
}
SAVED: Saved = {
    "report": read(
        """
inputs:
  city: string
  days: {type: integer, default: 3}
  note: {type: string, required: false}
tasks:
  - {id: got, method: api/fetch}
name: report
outputs: {names: "${got.items}", title: "About ${inputs.city}", all: {inner: "${got.first}"}, free: "${got.any}"}
"""
    ).require()
}

BEFORE = """
inputs:
  user: {type: object, properties: {name: {type: string}}, additionalProperties: false}
  word: string
tasks:
  - {id: fetch, method: api/fetch}
  - {id: maybe, method: api/fetch, when: fetch.count > 1}
  - {id: open, method: api/open}
  - {id: listed, method: api/list}
  - {id: unsaid, method: api/unsaid}
  - {id: unsayable, method: api/unsayable}
  - {id: each, method: api/fetch, foreach: "${fetch.items}", on_error: continue}
  - {id: child, method: workflow/run, parameters: {name: report, inputs: {city: Kiel}}}
  - id: inline
    method: workflow/run
    parameters: {workflow: {tasks: [{id: a, method: api/fetch}, {id: b, method: api/unsaid, dependencies: [a]}]}}
  - id: it
    method: api/put
"""


def problems(more: str) -> list[Diagnostic]:
    reading = read(f"{BEFORE}    {more}\n")
    assert reading.workflow is not None, reading.diagnostics
    return list(check(reading, SPECS, SAVED))


def of_reference(reference: str) -> list[Diagnostic]:
    return problems(f"parameters: {{x: '${{{reference}}}'}}")


@pytest.mark.parametrize(
    "reference",
    [
        "fetch",
        "fetch.items[0].name",
        "fetch.items[3].age",
        "fetch.result.items[0].name",
        "fetch.first.name",
        "fetch.both.shown",
        "fetch.both.extra",
        "fetch.pair[0].name",
        "fetch.title[0]",
        "fetch.by_name.whoever.age",
        'fetch.patterned["x-ray"]',
        "fetch.patterned.other",
        "fetch.any.whatever[3].there",
        "fetch.loop.next.next.next.next.next.next.next.next.next.next.next.next.next.next.next.next.next",
        "maybe.items[0].name",
        "open.rows[0].anything",
        "listed.result[0].name",
        "unsaid.anything.at[1].all",
        "unsayable.anything",
        "each[0].count",
        "each.result[0].count",
        "child.names[0].name",
        "child.all.inner.age",
        "child.free.whatever",
        "inline.b.whatever",
        "inputs.user.name",
        "run.id",
        "fetch.items.map(i, i.name)",
        "fetch.items.filter(i, i.age != null && i.age > 3)[0].name",
        "each.map(one, one.items[0].name)",
        "fetch.by_name.map(key, key)",
        "fetch.by_name.filter(key, true)[0]",
        "fetch.by_name.exists(key, fetch.by_name[key].age > 3)",
        'has(fetch.nothing) ? fetch.nothing : "none"',
        "has(fetch.first.nam) && fetch.first.nam.x == 1",
        'size(fetch.items) > 0 ? fetch.items[0].name : ""',
        'tasks["fetch"].items[0].name + "x"',
        "fetch.any.whatever + 1",
    ],
)
def test_what_may_be_there_raises_no_alarm(reference: str) -> None:
    assert of_reference(reference) == []


@pytest.mark.parametrize(
    ("reference", "message", "hint"),
    [
        ("fetch.itms", 'api/fetch returns no "itms"; it returns items, first, both', 'did you mean "items"?'),
        ("fetch.items[0].nam", 'fetch.items[0] has no "nam"; it has name, age', 'did you mean "name"?'),
        ("fetch.result.itms", 'fetch.result has no "itms"; it has items', 'did you mean "items"?'),
        ("fetch.items.name", "fetch.items is a list", "write ${fetch.items[0].name} for its first item"),
        ("fetch.count.value", "fetch.count is a whole number and has no fields", "write ${fetch.count}"),
        ("fetch.count[0]", "fetch.count is a whole number and has no items", "write ${fetch.count}"),
        ("fetch.title.text", "fetch.title is text and has no fields", "write ${fetch.title}"),
        ("fetch.first.nme", 'fetch.first has no "nme"; it has name, age', 'did you mean "name"?'),
        ("fetch.pair[2]", "fetch.pair has no more items", "write ${fetch.pair}"),
        ("fetch.by_name.ann.nam", 'fetch.by_name.ann has no "nam"', 'did you mean "name"?'),
        ("fetch.loop.nxt", 'fetch.loop has no "nxt"', 'did you mean "next"?'),
        ("maybe.itms", 'api/fetch returns no "itms"', 'did you mean "items"?'),
        ("listed.name", 'api/list returns no "name"; it returns result', "write ${listed.result}"),
        (
            "each.items",
            "the result of a foreach is a list",
            "write ${each[0].items} for its first item, or ${each} for",
        ),
        ("each[0].itms", 'each[0] has no "itms"', 'did you mean "items"?'),
        ("child.name", 'workflow/run returns no "name"; it returns names, title, all, free', 'did you mean "names"?'),
        ("child.names[0].nam", 'child.names[0] has no "nam"', 'did you mean "name"?'),
        ("child.title.x", "child.title is text and has no fields", "write ${child.title}"),
        ("inline.a", 'workflow/run returns no "a"; it returns b', "write ${inline.b}"),
        ("inputs.user.nam", 'inputs.user has no "nam"; it has name', 'did you mean "name"?'),
        ("inputs.word.x", "inputs.word is text and has no fields", "write ${inputs.word}"),
        ("size(fetch.itms)", 'api/fetch returns no "itms"', 'did you mean "items"?'),
        ("fetch.items.map(i, i.nam)", 'fetch.items[0] has no "nam"', 'did you mean "name"?'),
        ("fetch.items.filter(i, i.age > 3)[0].nam", 'has no "nam"', 'did you mean "name"?'),
        ("each.map(one, one.items[0].nam)", 'each[0].items[0] has no "nam"', 'did you mean "name"?'),
        ('tasks["fetch"].itms + 1', 'api/fetch returns no "itms"', 'did you mean "items"?'),
    ],
)
def test_what_can_not_be_there_is_an_error_that_names_the_nearest(reference: str, message: str, hint: str) -> None:
    (found,) = of_reference(reference)
    assert (found.code, found.severity, found.path) == ("unknown_field", "error", "tasks[9].parameters.x")
    assert message in found.message
    assert hint in (found.hint or "")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("open.rws", 'api/open declares no "rws"; it declares rows'),
        ("open.other", 'api/open declares no "other"'),
        ("fetch.both.shwn", 'fetch.both has no "shwn"; declared there are'),
        ('"itms" in fetch ? fetch.itms : 3', 'api/fetch returns no "itms"'),
    ],
)
def test_what_is_only_not_declared_is_a_warning(reference: str, message: str) -> None:
    (found,) = of_reference(reference)
    assert (found.code, found.severity) == ("unknown_field", "warning")
    assert message in found.message


def test_conditions_items_and_outputs_are_looked_into_too() -> None:
    found = problems(
        'foreach: "${fetch.items}"\n    when: fetch.cont > 1\n    parameters: {x: "${item.nam}", n: "${index}"}\n'
        'outputs: {out: "${each[0].itms}", fine: "${it}"}'
    )
    assert [(item.path, item.hint) for item in found] == [
        ("tasks[9].when", 'did you mean "count"?'),
        ("tasks[9].parameters.x", 'did you mean "name"?'),
        ("outputs.out", 'did you mean "items"?'),
    ]


@pytest.mark.parametrize(
    ("foreach", "item", "known"),
    [
        ('[{"a": 1}, {"b": "x"}]', "item.a", True),
        ('[{"a": 1}, {"b": "x"}]', "item.c", False),
        ('[{"a": "${unsaid}"}]', "item.a.b.c", True),
        ('["x", "y"]', "item.name", False),
        ("${unsaid}", "item.name", True),
        ("${fetch.items.filter(i, true)}", "item.anything", True),
    ],
)
def test_items_of_a_list_are_what_the_list_says(foreach: str, item: str, known: bool) -> None:
    written = foreach if foreach.startswith("[") else f'"{foreach}"'
    found = problems(f'foreach: {written}\n    parameters: {{x: "${{{item}}}"}}')
    assert [diagnostic.code for diagnostic in found] == ([] if known else ["unknown_field"])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ('text: "${fetch.count}"', "text takes text, and ${fetch.count} is a whole number"),
        ('text: "${fetch}"', "text takes text, and ${fetch} is an object"),
        ('text: "${each}"', "text takes text, and ${each} is a list"),
        ('n: "${fetch.title}"', "n takes a number, and ${fetch.title} is text"),
        ('n: "${fetch.count} apples"', "n takes a number, and ${fetch.count} apples is text"),
        ('list: ["${fetch.title}", "${fetch.count}"]', "list[1] takes text, and ${fetch.count} is a whole number"),
        ('list: "${fetch.title}"', "list takes a list, and ${fetch.title} is text"),
        ('"on": {deep: "${fetch.title}"}', "on.deep takes true or false, and ${fetch.title} is text"),
    ],
)
def test_references_of_another_type_than_the_parameter_takes(parameters: str, message: str) -> None:
    (found,) = problems(f"parameters: {{{parameters}}}")
    assert (found.code, found.severity) == ("wrong_parameter", "error")
    assert message in found.message


@pytest.mark.parametrize(
    "parameters",
    [
        'text: "${fetch.title}"',
        'text: "${fetch.title} and ${fetch}"',
        'n: "${fetch.count}"',
        'n: "${fetch.items[0].age}"',
        'text: "${unsaid.x}"',
        'list: ["${fetch.any}", "${fetch.title}"]',
        'list: "${fetch.items.map(i, i.name)}"',
        'x: "${fetch}"',
        'text: "${secrets.KEY}"',
        'n: "${inputs.unsaid_type}"',
    ],
)
def test_references_that_may_fit_raise_no_alarm(parameters: str) -> None:
    text = f"{BEFORE}    parameters: {{{parameters}}}\n".replace("word: string", "word: string\n  unsaid_type: {}")
    assert check(read(text), SPECS, SAVED) == ()


@pytest.mark.parametrize(
    ("inputs", "code", "message"),
    [
        ("{}", "missing_input", 'inputs of "report": city: is missing'),
        ("{city: Kiel, dys: 3}", "unknown_input", 'inputs of "report": dys: there is no such input'),
        ("{city: 3}", "wrong_input", 'inputs of "report": city: must be text'),
        ("{city: Kiel, days: '${fetch.title}'}", "wrong_parameter", "days takes a whole number"),
    ],
)
def test_a_saved_workflow_gets_the_inputs_that_it_declares(inputs: str, code: str, message: str) -> None:
    text = BEFORE.replace("inputs: {city: Kiel}", f"inputs: {inputs}")
    (found,) = check(read(text), SPECS, SAVED)
    assert (found.code, found.severity) == (code, "error")
    assert message in found.message
    assert found.path.startswith("tasks[7].parameters.inputs")


PASSED = MethodSpec("mcp/tool.add", parameters={**closed(a={"type": "integer"}), "required": ["a"]})


@pytest.mark.parametrize(
    ("parameters", "path"),
    [
        ("{a: 1}", None),
        ("{a: 1, timeout: 5}", None),
        ("{arguments: {a: 1}}", None),
        ("{arguments: {a: 1}, timeout: 5}", None),
        ("{arguments: '${inputs.all}'}", None),
        ("{arguments: {a: '${inputs.all.x}'}}", None),
        ("{arguments: {a: x}}", "tasks[0].parameters.arguments.a"),
        ("{arguments: {a: '${inputs.word}'}}", "tasks[0].parameters.arguments.a"),
        ("{arguments: {}}", "tasks[0].parameters.arguments.a"),
        ("{arguments: {a: 1}, timeout: soon}", "tasks[0].parameters.timeout"),
    ],
)
def test_what_a_tool_gets_may_stand_under_arguments(parameters: str, path: str | None) -> None:
    tasks = f"tasks: [{{id: a, method: mcp/tool.add, parameters: {parameters}}}]"
    found = check(read(f"inputs: {{all: object, word: string}}\n{tasks}\n"), {"mcp/tool.add": PASSED})
    assert [diagnostic.path for diagnostic in found] == ([] if path is None else [path])


@pytest.mark.parametrize("inputs", ["{city: '${fetch.any}'}", "'${fetch.any}'", "{city: '${inputs.word}', note: x}"])
def test_inputs_that_are_not_known_yet_are_left_to_the_run(inputs: str) -> None:
    text = BEFORE.replace("inputs: {city: Kiel}", f"inputs: {inputs}")
    assert check(read(text), SPECS, SAVED) == ()


def test_a_workflow_that_is_not_known_is_not_guessed_at() -> None:
    text = BEFORE.replace("name: report", "name: elsewhere")
    assert check(read(f'{text}    parameters: {{x: "${{child.whatever}}"}}\n'), SPECS, SAVED) == ()


def test_schemas_that_would_take_for_ever_say_nothing() -> None:
    wide = {"anyOf": [{"$ref": "#"}] * 50, "properties": {"a": {"anyOf": [{"$ref": "#"}] * 50}}}
    specs: Specs = {"a/b": MethodSpec("a/b", parameters=wide, returns=wide)}
    text = 'tasks:\n  - {id: a, method: a/b}\n  - {id: b, method: a/b, parameters: {a: "${a.x.y.z}"}}\n'
    started = time.process_time()
    check(read(text), specs)
    assert time.process_time() - started < 1


def test_sixty_four_tasks_with_wide_schemas_are_checked_in_a_moment() -> None:
    wide = closed(**{f"field_{number}": USER for number in range(300)})
    specs: Specs = {f"s/tool_{n}": MethodSpec(f"s/tool_{n}", parameters=wide, returns=wide) for n in range(64)}
    tasks = [{"id": "t0", "method": "s/tool_0"}] + [
        {
            "id": f"t{n}",
            "method": f"s/tool_{n}",
            "parameters": {f"field_{m}": f"${{t{n - 1}.field_{m}}}" for m in range(10)},
            "when": f"t{n - 1}.field_3.age > 3 && t{n - 1}.field_4.name != ''",
        }
        for n in range(1, 64)
    ]
    reading = read({"tasks": tasks})
    started = time.process_time()
    assert check(reading, specs) == ()
    assert time.process_time() - started < 0.5


def test_an_answer_has_the_fields_that_its_question_asks_for() -> None:
    schema = "{type: object, properties: {approved: {type: boolean}}, additionalProperties: false}"
    text = f"""
tasks:
  - {{id: ask, method: human/ask, parameters: {{message: Go on?, schema: {schema}}}}}
  - {{id: free, method: human/ask, parameters: {{message: Go on?}}}}
  - {{id: go, method: a/b, when: ask.aproved, parameters: {{x: "${{ask.approved}} ${{free.whatever}}"}}}}
"""
    (found,) = check(read(text))
    assert (found.path, found.hint) == ("tasks[2].when", 'did you mean "approved"?')
