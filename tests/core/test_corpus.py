"""Documents in the habits of other systems are accepted, or mended by their one hint."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from gleitzeit.core.check import Specs, check, methods_of
from gleitzeit.core.diagnostics import Diagnostic, did_you_mean
from gleitzeit.core.document import read
from gleitzeit.core.errors import MethodNotFoundError
from gleitzeit.core.models import Workflow
from gleitzeit.core.protocol import MethodSpec

CORPUS = Path(__file__).parent / "corpus"

CHAT = {
    "type": "object",
    "properties": {"model": {"type": "string"}, "messages": {"type": "array"}},
    "required": ["model", "messages"],
    "additionalProperties": False,
}
METHODS = {
    "llm/chat": MethodSpec(
        "llm/chat", parameters=CHAT, returns={"type": "object", "properties": {"response": {"type": "string"}}}
    ),
    "llm/generate": MethodSpec("llm/generate"),
    "python/execute": MethodSpec("python/execute", code=("code",)),
    "mcp/tool.fs.read_file": MethodSpec("mcp/tool.fs.read_file"),
    "mcp/tool.fs.write_file": MethodSpec("mcp/tool.fs.write_file"),
    "mcp/tool.fs.list": MethodSpec("mcp/tool.fs.list"),
}


@dataclass(frozen=True, slots=True)
class Habit:
    """A document, what is to become of it, and how its hint is followed."""

    path: Path
    verdict: str
    code: str = ""
    hint: str = ""
    change: tuple[str, str] = ("", "")

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")


def _habits() -> list[Habit]:
    table = json.loads((CORPUS / "expectations.json").read_text(encoding="utf-8"))
    return [
        Habit(
            CORPUS / name, row["verdict"], row.get("code", ""), row.get("hint", ""), tuple(row.get("change", ("", "")))
        )
        for name, row in table.items()
    ]


HABITS = _habits()
ACCEPTED = [habit for habit in HABITS if habit.verdict == "accepted"]
MENDED = [habit for habit in HABITS if habit.verdict == "mended"]


def _spec(method: str) -> MethodSpec | MethodNotFoundError:
    found = METHODS.get(method)
    return found or MethodNotFoundError(f'no provider serves "{method}"', hint=did_you_mean(method, METHODS))


def _checked(text: str) -> tuple[Workflow | None, list[Diagnostic]]:
    reading = read(text)
    specs: Specs = {method: _spec(method) for method in methods_of(reading.workflow)} if reading.workflow else {}
    return reading.workflow, list(check(reading, specs))


def test_the_corpus_is_large_and_every_file_of_it_is_used() -> None:
    assert len(HABITS) >= 60
    files = {
        path for path in CORPUS.rglob("*.*") if ".canonical." not in path.name and path.name != "expectations.json"
    }
    assert files == {habit.path for habit in HABITS}


@pytest.mark.parametrize("habit", ACCEPTED, ids=lambda habit: str(habit.path.relative_to(CORPUS)))
def test_a_habit_is_read_as_the_same_document(habit: Habit) -> None:
    workflow, diagnostics = _checked(habit.text)
    canonical = habit.path.with_name(habit.path.stem + ".canonical.yaml").read_text(encoding="utf-8")
    assert diagnostics == []
    assert workflow == read(canonical).require()


@pytest.mark.parametrize("habit", MENDED, ids=lambda habit: str(habit.path.relative_to(CORPUS)))
def test_one_hint_mends_it(habit: Habit) -> None:
    _, diagnostics = _checked(habit.text)
    assert [diagnostic.code for diagnostic in diagnostics] == [habit.code]
    assert habit.hint in f"{diagnostics[0].message} {diagnostics[0].hint}"
    assert diagnostics[0].line is not None

    before, after = habit.change
    assert before in habit.text
    workflow, remaining = _checked(habit.text.replace(before, after))
    assert remaining == []
    assert workflow is not None
