"""Saved workflows that are files: everybody's, never changed from here, and as fresh as the files."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from gleitzeit.application import Application, open_application
from gleitzeit.application.workflow_content import LARGEST
from gleitzeit.application.workflow_directories import MOST_FILES
from gleitzeit.config import load_configuration
from gleitzeit.core.errors import ConflictError, DocumentError, ForbiddenError, WorkflowNotFoundError
from gleitzeit.core.models import Run
from gleitzeit.registry import ProtocolProviderRegistry

pytestmark = pytest.mark.anyio

SHOUT = "tasks:\n  - {id: a, method: text/upper, parameters: {text: hi}}\n"


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "workflows"
    folder.mkdir()
    return folder


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A second directory, which comes after the first; it is not there yet."""
    return tmp_path / "more"


@pytest.fixture
async def application(
    registry: ProtocolProviderRegistry, home: Path, folder: Path, other: Path
) -> AsyncGenerator[Application]:
    config = load_configuration(
        None, {"GLEITZEIT_HOME": str(home)}, {"workflows.directories": [str(folder), str(other)]}
    )
    async with open_application(config, registry=registry) as application:
        yield application


async def names(application: Application, **given: Any) -> list[str]:
    return [saved.name for saved in await application.saved.list(**given)]


async def problems(application: Application) -> dict[str, str]:
    """What is wrong with each file, without the directory that is not there."""
    troubles = await application.saved.troubles()
    return {trouble.subject: trouble.diagnostics[-1].message for trouble in troubles if trouble.subject != "more"}


async def finished(application: Application, run: Run) -> Run:
    with anyio.fail_after(5):
        return await application.engine.wait(run.id)


async def test_files_are_workflows_of_every_caller_by_their_own_name_or_that_of_the_file(
    application: Application, folder: Path, other: Path
) -> None:
    (folder / "shout.yaml").write_text(SHOUT)
    (folder / "named.yml").write_text(f"name: A name\n{SHOUT}")
    make(other)
    (other / "data.json").write_text('{"tasks": [{"id": "a", "method": "text/upper"}]}')
    (folder / "notes.txt").write_text("no workflow")
    (folder / ".hidden.yaml").write_text(SHOUT)
    make(folder / "sub.yaml")
    for caller in ("anna", "ben"):
        assert await names(application, caller=caller) == ["A name", "data", "shout"]
    found = await application.saved.get("shout", caller="ben")
    assert (found.path, found.workflow.name) == (str(folder / "shout.yaml"), "shout")
    assert await problems(application) == {"sub.yaml": "it is not a regular file"}


async def test_a_task_runs_one_by_its_name(application: Application, folder: Path) -> None:
    (folder / "shout.yaml").write_text(SHOUT)
    document = {"tasks": [{"id": "child", "method": "workflow/run", "parameters": {"name": "shout"}}]}
    run = await finished(application, await application.submit(document, caller="ben"))
    assert run.outputs == {"child": {"a": {"text": "HI"}}}


async def test_whatever_becomes_of_a_file_is_seen_at_once(application: Application, folder: Path) -> None:
    file = folder / "shout.yaml"
    states = {await application.saved.state()}
    for text in ("HO", "HU"):  # of one size, and hardly any time apart
        file.write_text(SHOUT.replace("hi", text))
        assert (await application.saved.get("shout")).workflow.tasks[0].parameters == {"text": text}
        states.add(await application.saved.state())
    file.rename(folder / "loud.yaml")
    assert await names(application) == ["loud"]
    states.add(await application.saved.state())
    (folder / "loud.yaml").unlink()
    assert await names(application) == []
    assert len(states) == 4
    assert await application.saved.state() in states


async def test_what_has_not_changed_is_not_read_again(
    application: Application, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = folder / "bad.yaml"
    file.write_text("tasks: 5")
    os.utime(file, (1_000_000, 1_000_000))
    for _ in range(3):
        assert await names(application) == []
    assert [record.getMessage().partition(" can't")[0] for record in caplog.records] == [str(file)]


async def test_a_broken_file_says_what_is_wrong_and_breaks_no_other(application: Application, folder: Path) -> None:
    (folder / "good.yaml").write_text(SHOUT)
    (folder / "bad.yaml").write_text("tasks:\n\n  - {id: a, metod: x}\n")
    (folder / "circle.yaml").write_text(
        "tasks:\n  - {id: a, method: m, dependencies: [b]}\n  - {id: b, method: '${a}'}\n"
    )
    (folder / "binary.yaml").write_bytes(b"\0\1\2")
    (folder / "empty.yaml").write_text("")
    (folder / "input.yaml").write_text(f"inputs: {{a: {{type: strin}}}}\n{SHOUT}")
    (folder / "up.yaml").write_text(f"name: ../up\n{SHOUT}")
    assert await names(application) == ["good"]
    assert set(await problems(application)) == {
        *("bad.yaml", "binary.yaml", "circle.yaml", "empty.yaml", "input.yaml", "up.yaml")
    }
    with pytest.raises(DocumentError, match=r"bad\.yaml: line 3"):
        await application.saved.get("bad")
    checked = await application.check(await application.saved.source("bad"))
    assert [(problem.line, problem.hint) for problem in checked.errors if problem.code == "unknown_key"] == [
        (3, 'did you mean "method"?')
    ]
    found = {finding.subject: finding for finding in await application.examine()}
    assert found["workflows.directories"].message == "1 workflow in files"
    assert found[f"workflow {folder / 'bad.yaml'}"].level == "warning"


async def test_links_pipes_and_large_files_are_left_out(application: Application, folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text(SHOUT)
    (folder / "outside.yaml").symlink_to(secret)
    (folder / "upwards.yaml").symlink_to("../secret.yaml")
    (folder / "circle.yaml").symlink_to("circle.yaml")
    (make(folder / "kept") / "real.txt").write_text(SHOUT)
    (folder / "inside.yaml").symlink_to("kept/real.txt")
    os.mkfifo(folder / "pipe.yaml")
    (folder / "large.yaml").write_text("#" * (LARGEST + 1))
    with anyio.fail_after(5):
        assert await names(application) == ["inside"]
        found = await problems(application)
    link = "it is a link that leads out of its folder"
    assert {**found, "circle.yaml": ""} == {
        "outside.yaml": link,
        "upwards.yaml": link,
        "circle.yaml": "",
        "pipe.yaml": "it is not a regular file",
        "large.yaml": "it is too large: a workflow file has at most 1 MiB",
    }


async def test_the_first_file_of_a_name_counts(application: Application, folder: Path, other: Path) -> None:
    make(other)
    (folder / "b.yaml").write_text(f"name: same\ndescription: first\n{SHOUT}")
    (other / "a.yaml").write_text(f"name: same\n{SHOUT}")
    assert (await application.saved.get("same")).workflow.description == "first"
    assert await problems(application) == {"a.yaml": '"same" is the name of the workflow in b.yaml already'}


async def test_no_more_files_are_read_than_anybody_needs(
    application: Application, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MOST_FILES == 1_000
    monkeypatch.setattr("gleitzeit.application.workflow_directories.MOST_FILES", 3)
    for name in "abcde":
        (folder / f"{name}.yaml").write_text(SHOUT)
    assert await names(application) == ["a", "b", "c"]
    assert "more than 3 files" in (await problems(application))[folder.name]


async def test_a_folder_that_is_not_there_is_told_of_and_may_come_later(
    application: Application, folder: Path, other: Path
) -> None:
    troubles = {trouble.subject: trouble.diagnostics[0] for trouble in await application.saved.troubles()}
    assert troubles["more"].message == "no such file or directory"
    make(other)
    (other / "late.yaml").write_text(SHOUT)
    assert await names(application) == ["late"]


@pytest.mark.parametrize("overwrite", [False, True])
async def test_nobody_changes_a_file_from_here(application: Application, folder: Path, overwrite: bool) -> None:
    (folder / "shout.yaml").write_text(SHOUT)
    (folder / "broken.yaml").write_text("tasks: 5")
    for name in ("shout", "broken"):
        with pytest.raises(ForbiddenError, match=rf"{name}\.yaml, which can't be changed"):
            await application.saved.save(await application.check(SHOUT), name=name, overwrite=overwrite)
        with pytest.raises(ForbiddenError):
            await application.saved.delete(name)
    assert (folder / "shout.yaml").read_text() == SHOUT


async def test_a_file_takes_the_place_of_what_was_saved_before(
    application: Application, folder: Path, registry: ProtocolProviderRegistry
) -> None:
    await application.saved.save(await application.check(SHOUT.replace("hi", "mine")), name="shout")
    (folder / "shout.yaml").write_text(SHOUT)
    assert (await application.saved.get("shout")).workflow.tasks[0].parameters == {"text": "hi"}
    assert await names(application) == ["shout"]
    assert "has taken the place" in (await problems(application))["shout"]
    await application.saved.delete("shout")  # the one that nobody sees any more
    assert await problems(application) == {}
    assert await names(application) == ["shout"]


async def test_a_name_that_is_not_there_is_looked_for_among_files_too(application: Application, folder: Path) -> None:
    (folder / "shout.yaml").write_text(SHOUT)
    with pytest.raises(WorkflowNotFoundError) as caught:
        await application.saved.get("shot")
    assert caught.value.hint == 'did you mean "shout"?'


async def test_whoever_waits_for_changes_is_rung_by_each_that_is_made_here(application: Application) -> None:
    async def rings(act: Callable[[], Any]) -> int:
        before = application.changed.rings
        await act()
        return application.changed.rings - before

    async def save(text: str) -> None:
        await application.saved.save(await application.check(SHOUT.replace("hi", text)), name="shout")

    assert await rings(lambda: save("a")) == 1
    with pytest.raises(ConflictError):
        await save("b")
    assert await rings(lambda: application.saved.delete("shout")) == 1
