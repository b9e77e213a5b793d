"""What is wrong with a workflow is told before it runs: what, where, and how to mend it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from gleitzeit.core.check import Specs, check, methods_of
from gleitzeit.core.diagnostics import Diagnostic
from gleitzeit.core.document import read
from gleitzeit.core.errors import MethodNotFoundError
from gleitzeit.core.models import RESERVED_IDS
from gleitzeit.core.protocol import MethodSpec

CHAT = {
    "type": "object",
    "properties": {
        "model": {"type": "string"},
        "messages": {"type": "array", "items": {"type": "object", "required": ["content"]}},
        "temperature": {"type": "number"},
    },
    "required": ["model"],
    "additionalProperties": False,
}
SPECS: Specs = {
    "llm/chat": MethodSpec("llm/chat", parameters=CHAT, returns={"type": "object", "properties": {"response": {}}}),
    "python/execute": MethodSpec("python/execute", code=("code",)),
    "strict/one": MethodSpec(
        "strict/one", returns={"type": "object", "properties": {"rows": {}, "count": {}}, "additionalProperties": False}
    ),
    "a/b": None,
    "gone/x": MethodNotFoundError('no provider serves "gone/x"', hint='did you mean "gone/y"?'),
}


def problems(text: str) -> list[Diagnostic]:
    reading = read(text)
    assert reading.workflow is not None, reading.diagnostics
    return list(check(reading, SPECS))


def task(more: str, *, before: str = "") -> str:
    return f"inputs: {{mode: string}}\ntasks:\n- {{id: fetch, method: a/b}}\n{before}- id: it\n  {more}\n"


def test_a_sound_workflow_has_no_problems() -> None:
    text = """
inputs: {mode: {type: string, default: deep}}
tasks:
  - {id: fetch-it, name: Fetch, method: a/b, parameters: {timeout: 30, key: "${secrets.KEY}"}}
  - id: ask
    method: llm/chat
    dependencies: [Fetch]
    when: 'tasks["fetch-it"].count > 1 && inputs.mode == "deep"'
    parameters:
      {model: "${inputs.mode}", temperature: "${fetch-it.t}", messages: ["${fetch-it.m}", {content: x}], timeout: 5}
  - id: each
    method: python/execute
    foreach: "${fetch-it.items}"
    parameters: {code: "print('${other} $x ${')", args: ["${item.x}", "${index}", "${run.id}", "${each_not}"]}
outputs: {all: "${each}", first: "${each[0].value}", text: "${ask.response}", whole: "${ask.result}"}
"""
    assert [item.code for item in problems(text.replace(', "${each_not}"', ""))] == []


@pytest.mark.parametrize(
    ("more", "code", "path", "words"),
    [
        ("method: gone/x", "unknown_method", "tasks[1].method", 'did you mean "gone/y"?'),
        ('method: "${fetch.m}"', "reference_misplaced", "tasks[1].method", "own when"),
        (
            "method: a/b\n  dependencies: [fetsh]",
            "unknown_dependency",
            "tasks[1].dependencies[0]",
            'did you mean "fetch"?',
        ),
        ("method: a/b\n  dependencies: [it]", "cycle", "tasks[1]", "depends on itself"),
        (
            'method: a/b\n  parameters: {x: "${fetsh.a}"}',
            "unknown_reference",
            "tasks[1].parameters.x",
            'did you mean "fetch"?',
        ),
        (
            'method: a/b\n  parameters: {x: "${mode}"}',
            "unknown_reference",
            "tasks[1].parameters.x",
            "write ${inputs.mode}",
        ),
        (
            'method: a/b\n  parameters: {x: "${inputs.mod}"}',
            "unknown_input",
            "tasks[1].parameters.x",
            'did you mean "mode"?',
        ),
        ('method: a/b\n  parameters: {x: "${size(inputs.mod) > 1}"}', "unknown_input", "tasks[1].parameters.x", "mode"),
        ('method: a/b\n  parameters: {x: "${item.y}"}', "item_outside_foreach", "tasks[1].parameters.x", "add foreach"),
        ('method: a/b\n  parameters: {x: "${index + 1}"}', "item_outside_foreach", "tasks[1].parameters.x", "index"),
        ('method: a/b\n  foreach: ["${item}"]', "item_outside_foreach", "tasks[1].foreach[0]", "names the list"),
        ('method: a/b\n  foreach: "${secrets.K}"', "secret_misplaced", "tasks[1].foreach", "parameters"),
        ("method: a/b\n  foreach: fetch.items", "wrong_type", "tasks[1].foreach", "write ${fetch.items}"),
        ('method: a/b\n  foreach: "x ${fetch.items}"', "wrong_type", "tasks[1].foreach", "alone"),
        ("method: a/b\n  when: fetsh.a > 1", "unknown_reference", "tasks[1].when", 'did you mean "fetch"?'),
        ("method: a/b\n  when: secrets.K == 'x'", "secret_misplaced", "tasks[1].when", "parameters"),
        ("method: a/b\n  when: secrets.K", "secret_misplaced", "tasks[1].when", "parameters"),
        ("method: a/b\n  when: fetch.a >", "expression_invalid", "tasks[1].when", "missing"),
        ("method: a/b\n  when: '{{ fetch.a }}'", "foreign_reference", "tasks[1].when", "write fetch.a"),
        ("method: a/b\n  when: '${{ fetch.a }}'", "foreign_reference", "tasks[1].when", "write fetch.a"),
        (
            'method: a/b\n  parameters: {x: "{{ fetch.a | upper }}"}',
            "foreign_reference",
            "tasks[1].parameters.x",
            "another system",
        ),
        (
            'method: a/b\n  parameters: {"${fetch.a}": 1}',
            "reference_misplaced",
            'tasks[1].parameters["${fetch.a}"]',
            "values only",
        ),
        (
            'method: a/b\n  parameters: {x: {"${fetch.a}": 1}}',
            "reference_misplaced",
            'tasks[1].parameters.x["${fetch.a}"]',
            "values only",
        ),
        (
            'method: python/execute\n  parameters: {code: "${fetch.a}"}',
            "reference_in_code",
            "tasks[1].parameters.code",
            "args",
        ),
        (
            'method: python/execute\n  parameters: {code: "f(${size(inputs.mode)})"}',
            "reference_in_code",
            "tasks[1].parameters.code",
            "args",
        ),
        ("method: llm/chat\n  parameters: {model: 3}", "wrong_parameter", "tasks[1].parameters.model", "must be text"),
        (
            "method: llm/chat\n  parameters: {model: x, messages: [hi]}",
            "wrong_parameter",
            "tasks[1].parameters.messages[0]",
            "llm/chat: messages[0] must be an object",
        ),
        ("method: llm/chat\n  parameters: {}", "missing_parameter", "tasks[1].parameters.model", "is missing"),
        (
            "method: llm/chat\n  parameters: {model: x, temperatur: 1}",
            "unknown_parameter",
            "tasks[1].parameters.temperatur",
            'did you mean "temperature"?',
        ),
        (
            'method: llm/chat\n  parameters: {model: "${fetch.m}", messages: ["${fetch.x}", {}]}',
            "missing_parameter",
            "tasks[1].parameters.messages[1].content",
            "is missing",
        ),
        ("method: a/b\n  parameters: {x: 1}\n  cache: true", None, "", ""),
    ],
    ids=range(31),
)
def test_one_mistake_is_one_diagnostic(more: str, code: str | None, path: str, words: str) -> None:
    text = task(more)
    if code is None:
        assert [item.path for item in read(text).diagnostics] == ["tasks[1].cache"]
        return
    found = problems(text)
    assert [(item.code, item.path) for item in found] == [(code, path)]
    assert words in f"{found[0].message} {found[0].hint}"
    assert (found[0].line or 0) >= 4


def test_fields_that_a_method_is_known_not_to_return() -> None:
    before = "- {id: chat, method: llm/chat, parameters: {model: x}}\n- {id: rows, method: strict/one}\n"
    text = task(
        'method: a/b\n  parameters: {a: "${chat.output}", b: "${rows.rws}", c: "${chat.other}", d: "${rows.result}"}',
        before=before,
    )
    assert [(item.code, item.severity, item.hint) for item in problems(text)] == [
        ("unknown_field", "error", "write ${chat.response}"),
        ("unknown_field", "error", 'did you mean "rows"?'),
        ("unknown_field", "warning", "write ${chat.response}"),
    ]


def test_one_text_can_have_several_problems() -> None:
    text = task('method: a/b\n  parameters: {x: "${nope.a} ${{ b }} ${} {{ c }} ${inputs.zzz}"}')
    codes = ["reference_invalid", "foreign_reference", "unknown_reference", "foreign_reference", "unknown_input"]
    assert sorted(item.code for item in problems(text)) == sorted(codes)


def test_a_cycle_names_its_path_once() -> None:
    found = problems(
        "tasks:\n"
        "- {id: a, method: a/b, dependencies: [c]}\n"
        "- {id: b, method: a/b, parameters: {x: '${a.y}'}}\n"
        "- {id: c, method: a/b, when: b.ok}\n"
    )
    assert [item.code for item in found] == ["cycle"]
    assert any(path in found[0].message for path in ("a -> b -> c -> a", "b -> c -> a -> b", "c -> a -> b -> c"))


def test_duplicate_and_reserved_ids() -> None:
    text = "tasks:\n- {id: a, method: a/b}\n- {id: a, method: a/b}\n" + "".join(
        f'- {{id: "{word}", method: a/b}}\n' for word in sorted(RESERVED_IDS)
    )
    codes = [item.code for item in problems(text)]
    assert codes == ["duplicate_id"] + ["reserved_id"] * len(RESERVED_IDS)


def test_hyphenated_ids_in_expressions() -> None:
    text = (
        "tasks:\n- {id: get-data, method: a/b}\n- {id: in-progress, method: a/b}\n"
        "- id: x\n  method: a/b\n  parameters:\n"
        "    {a: '${get-data.n + 1}', b: '${in-progress.n > 1}', c: '${get-data.n}', d: '${\"get-data\" + \"x\"}'}\n"
    )
    assert [(item.code, item.hint) for item in problems(text)] == [
        ("hyphenated_id", 'write tasks["get-data"]'),
        ("hyphenated_id", 'write tasks["in-progress"]'),
    ]


def test_inputs_and_their_defaults() -> None:
    text = (
        "inputs:\n  a: {type: strng}\n  b: {type: integer, default: x}\n  c: {enum: [1, 2], default: 3}\n"
        "  d: {$ref: 'http://x/y'}\ntasks: [{id: t, method: a/b}]\n"
    )
    assert [(item.code, item.path) for item in problems(text)] == [
        ("schema_invalid", "inputs.a"),
        ("wrong_default", "inputs.b.default"),
        ("wrong_default", "inputs.c.default"),
        ("schema_invalid", "inputs.d"),
    ]


def test_outputs_refer_to_what_is_there() -> None:
    text = (
        task("method: a/b")
        + 'outputs: {a: "${nope.x}", b: {c: ["${secrets.K}"]}, d: "${item}", e: "${inputs.zz}", '
        + 'f: "${it.x} ${run.id}"}\n'
    )
    assert [(item.code, item.path) for item in problems(text)] == [
        ("unknown_reference", "outputs.a"),
        ("secret_misplaced", "outputs.b.c[0]"),
        ("item_outside_foreach", "outputs.d"),
        ("unknown_input", "outputs.e"),
    ]


def test_a_workflow_inside_a_workflow_is_checked_too() -> None:
    inner = {"tasks": [{"id": "x", "method": "gone/x", "parameters": {"y": "${nope.z}"}}]}
    source: dict[str, Any] = {"tasks": [{"id": "run_it", "method": "workflow/run", "parameters": {"workflow": inner}}]}
    reading = read(source)
    assert methods_of(reading.require()) == {"workflow/run", "gone/x"}
    assert [(item.code, item.path) for item in check(reading, SPECS)] == [
        ("unknown_method", "tasks[0].parameters.workflow.tasks[0].method"),
        ("unknown_reference", "tasks[0].parameters.workflow.tasks[0].parameters.y"),
    ]


def test_workflows_inside_workflows_end() -> None:
    source: dict[str, Any] = {"tasks": [{"id": "x", "method": "a/b"}]}
    for _ in range(12):
        source = {"tasks": [{"id": "x", "method": "workflow/run", "parameters": {"workflow": source}}]}
    assert {item.code for item in check(read(source), SPECS)} == {"limit"}


@pytest.mark.parametrize(
    "more",
    [
        "method: a/b\n  parameters: {mode: '${inputs.mode}'}\n  cache: {ttl: 60}\n  retry_on_crash: false",
        "method: a/b\n  parameters: {mode: '${inputs.mode}'}\n  cache: {ttl: 1h, force: true}",
        "method: workflow/run\n  parameters: {name: saved, inputs: {mode: '${inputs.mode}'}}",
    ],
)
def test_caches_and_saved_workflows_are_part_of_the_language(more: str) -> None:
    assert problems(task(more)) == []


@pytest.mark.parametrize(
    ("cache", "code", "path", "words"),
    [
        ("{ttl: 60, forc: true}", "unknown_key", "tasks[1].cache.forc", 'did you mean "force"?'),
        ("{ttl: 60, key: x}", "unknown_key", "tasks[1].cache.key", "known are ttl, force"),
        ("{ttl: 60, force: maybe}", "wrong_type", "tasks[1].cache.force", 'must be true or false, not "maybe"'),
        ("{ttl: 60, force: null}", "wrong_type", "tasks[1].cache.force", "must be true or false, not null"),
        ("{force: true}", "missing_key", "tasks[1].cache.ttl", "write cache: {ttl: 3600}"),
        ("{ttl: 60, always: true, force: true}", "duplicate_key", "tasks[1].cache.force", 'best "force"'),
    ],
)
def test_what_is_wrong_with_a_cache_is_told(cache: str, code: str, path: str, words: str) -> None:
    (found,) = read(task(f"method: a/b\n  cache: {cache}")).diagnostics
    assert (found.code, found.path, found.line) == (code, path, 6)
    assert words in f"{found.message} {found.hint}"


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        ("method: a/b\n  foreach: [1, 2]\n  when: item > 1", "item_outside_foreach", ".filter(i, i > 1)"),
        ("method: a/b\n  foreach: [1, 2]\n  when: index", "item_outside_foreach", "before the items"),
        ("method: workflow/run\n  parameters: {workflow: saved}", "wrong_type", "the document is text"),
        ("method: llm/chat\n  parameters: {temperature: 1}", "missing_parameter", 'write model: "text"'),
        ("method: llm/chat\n  parameters: {model: 3}", "wrong_parameter", 'write model: "text"'),
    ],
)
def test_the_hint_says_what_to_write(more: str, code: str, words: str) -> None:
    (found,) = problems(task(more))
    assert (found.code, found.severity) == (code, "error")
    assert words in f"{found.message} {found.hint}"


def test_a_document_that_could_not_be_read_keeps_its_diagnostics() -> None:
    reading = read("tasks: 3")
    assert check(reading, SPECS) == reading.diagnostics


def test_thirty_thousand_tasks_are_checked_in_time() -> None:
    tasks = [
        {"id": f"t{n}", "method": "a/b", "parameters": {"x": f"${{t{n - 1}.y}} text" if n else "text"}}
        for n in range(30_000)
    ]
    started = time.process_time()
    reading = read({"tasks": tasks})
    assert check(reading, SPECS) == ()
    assert time.process_time() - started < 20


def test_a_mistake_in_one_task_hides_none_in_the_others() -> None:
    text = """
tasks:
  - {id: a, method: a/b, metod: x}
  - {id: b, method: a/b, dependencies: [nobody], parameters: {x: "${gone.y}"}}
"""
    found = [(diagnostic.code, diagnostic.path) for diagnostic in check(read(text))]
    assert ("unknown_key", "tasks[0].metod") in found
    assert [path for _, path in found if path.startswith("tasks[1]")] == [
        "tasks[1].dependencies[0]",
        "tasks[1].parameters.x",
    ]
