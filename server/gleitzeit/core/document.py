"""Text, mapping or Workflow -> a Reading: the workflow, and everything that keeps it from being one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from gleitzeit.core.data import PathKey, is_list, is_mapping, is_object, kind_of
from gleitzeit.core.diagnostics import Diagnostic
from gleitzeit.core.errors import DocumentError
from gleitzeit.core.json_data import as_json
from gleitzeit.core.models import Workflow
from gleitzeit.core.reading.data_text import read_text
from gleitzeit.core.reading.document_errors import problems_of
from gleitzeit.core.reading.marks import NOWHERE, Mark, Positions, Problem
from gleitzeit.core.reading.source_text import MAX_BYTES, source_text
from gleitzeit.core.reading.text import Text, fault
from gleitzeit.core.spelling.respell import respell
from gleitzeit.core.spelling.spellings import HOLDERS

__all__ = ["MAX_BYTES", "Reading", "read"]


@dataclass(frozen=True, slots=True)
class Reading:
    """A workflow, unless something is wrong with it; all diagnostics; and where each value stands in the text.

    `draft` is what can be read of it all the same, so that more can be found that is wrong.
    """

    workflow: Workflow | None
    diagnostics: tuple[Diagnostic, ...] = ()
    positions: Positions = NOWHERE
    draft: Workflow | None = None

    def require(self) -> Workflow:
        """The workflow; raises `DocumentError` with all diagnostics where there is none."""
        errors = [diagnostic for diagnostic in self.diagnostics if diagnostic.severity == "error"]
        if self.workflow is None or errors:
            raise DocumentError(self.diagnostics)
        return self.workflow


def read(source: str | bytes | Mapping[str, Any] | Workflow, *, name: str | None = None) -> Reading:
    """Read a workflow from whatever it is; never raises, whatever the text says.

    `name` is its name where the document has none.
    """
    if isinstance(source, Workflow):
        source = source.model_dump()
    if is_mapping(source):
        return _from_data(source, name)
    if not isinstance(source, (str, bytes, bytearray)):
        return Reading(None, (fault("wrong_type", f"a workflow is text or an object, not {kind_of(source)}", 1, 1),))
    try:
        text = read_text(source_text(source))
    except DocumentError as error:
        return Reading(None, error.diagnostics)
    return _from_text(text, name)


def _from_text(text: Text, name: str | None) -> Reading:
    if text.data is not None:
        return _read(text.data, text.positions, text.faults, name)
    empty = fault("empty", "the document is empty", 1, 1, "write tasks: with at least one task")
    return Reading(None, text.faults or (empty,))


def _from_data(data: Mapping[str, Any], name: str | None) -> Reading:
    problems: list[Problem] = []
    plain = as_json(data, problems)
    if problems:
        return Reading(None, tuple(problem.placed(NOWHERE) for problem in problems))
    return _read(plain, NOWHERE, (), name)


def _read(data: Any, marks: Positions, faults: tuple[Diagnostic, ...], name: str | None) -> Reading:
    if not is_object(data):
        return Reading(None, (*faults, _not_an_object(data).placed(marks)))
    problems: list[Problem] = []
    document, _ = respell(data, None, problems)
    positions = Positions(lambda: _respelled_marks(data, marks))
    if name and "name" not in document:
        document["name"] = name[:128]
    workflow: Workflow | None = None
    try:
        workflow = Workflow.model_validate(document)
    except ValidationError as error:
        told: set[tuple[PathKey, ...]] = {problem.path for problem in problems}
        if HOLDERS & data.keys():
            told.add(("tasks",))
        problems.extend(problem for problem in problems_of(error, document) if problem.path not in told)
    placed = [problem.placed(positions) for problem in dict.fromkeys(problems)]
    diagnostics = (*faults, *sorted(placed, key=_order))
    wrong = any(diagnostic.severity == "error" for diagnostic in diagnostics)
    return Reading(None if wrong else workflow, diagnostics, positions, workflow)


def _respelled_marks(data: dict[str, Any], marks: Positions) -> Mark | None:
    root = marks.root
    return respell(data, root, [])[1] if root is not None else None


def _not_an_object(data: Any) -> Problem:
    if is_list(data) and data and is_object(data[0]) and {"method", "id", "uses", "tool"} & data[0].keys():
        return Problem("wrong_type", "the document is a list of tasks", (), "put the list under tasks:")
    return Problem(
        "wrong_type", f"the document is {kind_of(data)}, not an object", (), "write tasks: with a list of tasks"
    )


def _order(diagnostic: Diagnostic) -> tuple[int, int]:
    return diagnostic.line or 0, diagnostic.column or 0
