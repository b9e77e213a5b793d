"""`gleitzeit validate`: everything that is wrong with workflow files, and how they would run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import anyio
import typer

from gleitzeit.application import Application, Checked, open_application
from gleitzeit.application.unchecked import with_unchecked
from gleitzeit.cli import exits
from gleitzeit.cli.chosen_configuration import configured
from gleitzeit.cli.documents import WorkflowFile, open_workflow
from gleitzeit.cli.given_inputs import given_inputs
from gleitzeit.cli.options import ConfigOption, InputOption, InputsFileOption, JsonOption
from gleitzeit.cli.output import kept_for_results, print_json, print_result
from gleitzeit.cli.problems import say_diagnostics, say_error
from gleitzeit.config import Configuration
from gleitzeit.core.errors import GleitzeitError
from gleitzeit.core.graph import mermaid
from gleitzeit.core.models import Failure
from gleitzeit.store.memory import MemoryStore

FilesArgument = Annotated[list[str], typer.Argument(metavar="FILE...", help="Workflows; - is standard input.")]
MermaidOption = Annotated[bool, typer.Option("--mermaid", help="Print the graph as a mermaid diagram.")]


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What was found out about one file; without `checked` it could not be read at all."""

    name: str
    file: WorkflowFile | None = None
    checked: Checked | None = None
    error: GleitzeitError | OSError | None = None

    @property
    def exit_code(self) -> int:
        if self.error is not None:
            return exits.exit_code_of(self.error)
        return exits.OK if self.checked is not None and self.checked.valid else exits.INVALID


def validate(
    files: FilesArgument,
    given: InputOption = None,
    inputs: InputsFileOption = None,
    as_mermaid: MermaidOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check workflows, and print how they would run."""
    configuration = configured(config)
    with kept_for_results():
        verdicts = anyio.run(_judge, files, given, inputs, configuration)
    for verdict in verdicts:
        _say_problems(verdict)
    if as_json:
        data = [_data(verdict) for verdict in verdicts]
        print_json({"valid": all(entry["valid"] for entry in data), "files": data})
    else:
        for verdict in verdicts:
            _print_verdict(verdict, as_mermaid)
    raise typer.Exit(max(verdict.exit_code for verdict in verdicts))


async def _judge(
    files: list[str], given: list[str] | None, inputs: Path | None, configuration: Configuration
) -> list[_Verdict]:
    async with open_application(configuration, store=MemoryStore(), recover=False) as application:
        return [await _verdict(application, name, given, inputs) for name in files]


async def _verdict(application: Application, name: str, given: list[str] | None, inputs: Path | None) -> _Verdict:
    try:
        file = open_workflow(name)
    except (GleitzeitError, OSError) as error:
        return _Verdict(name, error=error)
    values = given_inputs(file.content, given, inputs) if given or inputs else None
    checked = await application.check(file.content, values, name=file.stem)
    return _Verdict(name, file, await with_unchecked(application, checked))


def _say_problems(verdict: _Verdict) -> None:
    if verdict.error is not None:
        say_error(verdict.error)
    if verdict.checked is not None and verdict.file is not None:
        say_diagnostics(verdict.checked.diagnostics, verdict.file.name, verdict.file.text)


def _print_verdict(verdict: _Verdict, as_mermaid: bool) -> None:
    checked = verdict.checked
    if checked is None:
        return
    if not checked.valid or checked.workflow is None:
        count = sum(diagnostic.severity == "error" for diagnostic in checked.diagnostics)
        print_result(f"{verdict.name}: invalid, {count} error{'' if count == 1 else 's'}")
    elif as_mermaid:
        print_result(mermaid(checked.workflow))
    else:
        _print_plan(verdict.name, checked)


def _print_plan(name: str, checked: Checked) -> None:
    plan = checked.plan
    tasks = sum(map(len, plan))
    waves = len(plan)
    print_result(f"{name}: valid, {tasks} task{'' if tasks == 1 else 's'} in {waves} wave{'' if waves == 1 else 's'}")
    width = max(len(task["task_id"]) for wave in plan for task in wave)
    for number, wave in enumerate(plan, start=1):
        for task in wave:
            marks = [key for key in ("foreach", "when") if key in task]
            extra = f"  ({', '.join(marks)})" if marks else ""
            print_result(f"  {number}  {task['task_id']:<{width}}  {task['method']}{extra}")


def _data(verdict: _Verdict) -> dict[str, Any]:
    checked = verdict.checked
    if checked is None:
        return {"file": verdict.name, "valid": False, "error": _error(verdict.error)}
    data: dict[str, Any] = {
        "file": verdict.name,
        "valid": checked.valid,
        "diagnostics": [diagnostic.to_dict() for diagnostic in checked.diagnostics],
    }
    if checked.valid and checked.workflow is not None:
        data |= {"plan": checked.plan, "inputs": dict(checked.inputs), "mermaid": mermaid(checked.workflow)}
    return data


def _error(error: GleitzeitError | OSError | None) -> Mapping[str, Any]:
    return Failure.of(error).to_dict() if isinstance(error, GleitzeitError) else {"message": str(error)}
