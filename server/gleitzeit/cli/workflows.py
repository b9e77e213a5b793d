"""`gleitzeit workflows`: workflows that are saved under their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from gleitzeit.application import Application
from gleitzeit.application.saved_workflows import Trouble
from gleitzeit.cli.database import CALLER, with_database
from gleitzeit.cli.documents import WorkflowFileError, open_workflow
from gleitzeit.cli.options import ConfigOption, JsonOption
from gleitzeit.cli.output import print_json, print_result, say
from gleitzeit.cli.problems import say_diagnostics
from gleitzeit.cli.run_text import moment
from gleitzeit.core.reading.yaml_writer import write_yaml
from gleitzeit.store.base import SavedWorkflow

application = typer.Typer(help="Save workflows under their names.", no_args_is_help=True, rich_markup_mode=None)

FileArgument = Annotated[str, typer.Argument(metavar="FILE", help="A workflow in YAML or JSON; - is standard input.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The name that it is saved under.")]
NameOption = Annotated[str | None, typer.Option("--name", help="The name to save it under; by default its own.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace another workflow of that name.")]


@application.callback()
def options() -> None:
    """Save workflows under their names."""


@application.command()
def save(
    file: FileArgument,
    name: NameOption = None,
    overwrite: OverwriteOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a workflow and save it."""
    document = open_workflow(file)

    async def kept(opened: Application) -> SavedWorkflow:
        checked = await opened.check(document.content, name=document.stem)
        if not checked.valid:
            raise WorkflowFileError(document, checked.diagnostics)
        say_diagnostics(checked.diagnostics, document.name, document.text)
        return await opened.saved.save(checked, name=name, overwrite=overwrite, caller=CALLER)

    saved = with_database(config, kept)
    if as_json:
        print_json(_told(saved))
    else:
        print_result(f"{saved.name}, version {saved.version}")


@application.command("list")
def list_workflows(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the saved workflows, those in the files of workflows.directories among them."""

    async def listed(opened: Application) -> tuple[Sequence[SavedWorkflow], Sequence[Trouble]]:
        return await opened.saved.list(caller=CALLER), await opened.saved.troubles(caller=CALLER)

    found, troubles = with_database(config, listed)
    if as_json:
        problems = {"problems": [_wrong(each) for each in troubles]} if troubles else {}
        print_json({"workflows": [_told(saved) for saved in found], **problems})
        return
    for trouble in troubles:
        say_diagnostics(trouble.diagnostics, trouble.subject, None)
    for saved in found:
        about = f"  {saved.workflow.description.partition(chr(10))[0]}" if saved.workflow.description else ""
        kept = f"version {saved.version}" if saved.path is None else saved.path
        print_result(f"{saved.name}  {kept}  {moment(saved.updated_at)}{about}")
    if not found:
        say("no workflow is saved yet")


@application.command()
def show(name: NameArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Print a saved workflow as YAML, which `gleitzeit run -` takes."""

    async def found(opened: Application) -> SavedWorkflow:
        return await opened.saved.get(name, caller=CALLER)

    saved = with_database(config, found)
    if as_json:
        print_json({**_told(saved), "workflow": saved.workflow.canonical()})
    else:
        print_result(write_yaml(saved.workflow.canonical()))


@application.command()
def delete(name: NameArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Forget a saved workflow; its runs stay."""

    async def deleted(opened: Application) -> None:
        await opened.saved.delete(name, caller=CALLER)

    with_database(config, deleted)
    print_json({"name": name}) if as_json else say(f"deleted {name}")


def _told(saved: SavedWorkflow) -> dict[str, Any]:
    return {
        "name": saved.name,
        "version": saved.version,
        "description": saved.workflow.description,
        "inputs": dict(saved.workflow.inputs),
        "created_at": saved.created_at,
        "updated_at": saved.updated_at,
        **({} if saved.path is None else {"path": saved.path}),
    }


def _wrong(trouble: Trouble) -> dict[str, Any]:
    return {"subject": trouble.subject, "diagnostics": [diagnostic.to_dict() for diagnostic in trouble.diagnostics]}
