"""What hostile code, or somebody who changes files meanwhile, might try against what stands outside of the sandbox."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from gleitzeit.core.errors import ForbiddenError, GleitzeitError, LimitError, ProviderUnavailableError
from gleitzeit.providers.base import TaskContext
from gleitzeit_python.broker.frames import FrameError, parsed
from gleitzeit_python.broker.messages import End, Progress, read
from gleitzeit_python.broker.quota import Account, Quota
from gleitzeit_python.requests.environment import module_folders
from gleitzeit_python.results.keeping import keep
from gleitzeit_python.sandbox.base import Artifact
from gleitzeit_python.turns import Place, Turns
from gleitzeit_python.worker.artifacts import wanted

pytestmark = pytest.mark.anyio

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the tiers ns and ll need Linux")


def names_in(folder: Path) -> set[str]:
    return {place.name for place in folder.iterdir()}


@on_linux
@pytest.mark.parametrize("tier", ["ns", "ll"])
@pytest.mark.parametrize("named", ["sub/data", "data", "PYTHONPATH"])
async def test_what_becomes_a_link_once_it_was_agreed_to_is_not_read(
    tier: str, named: str, start: Any, task: TaskContext, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gleitzeit_python.kernel.zygote import Zygote

    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "data").write_text("secret", encoding="utf-8")
    for place in (root / "sub" / "data", root / "data"):
        place.parent.mkdir(exist_ok=True)
        place.write_text("fine", encoding="utf-8")
    provider, begin = await start(tier=tier), Zygote.start

    async def swapped(plan: Any) -> Any:
        for place, target in ((root / "sub", outside), (root / "data", outside / "data")):
            if not place.is_symlink():
                place.rename(tmp_path / f"was {place.name}")
                place.symlink_to(target)
        return await begin(plan)

    code = "import sys\nresult = open(args or sys.path[1] + '/data').read()"
    parameters = {"files": [named], "args": named} if named != "PYTHONPATH" else {"env": {"PYTHONPATH": "sub"}}
    assert await provider.handle_request("python/execute", {"code": code, **parameters}) == {"result": "fine"}
    monkeypatch.setattr(Zygote, "start", swapped)
    with pytest.raises(GleitzeitError, match=r"Not a directory|symbolic links"):
        await provider.handle_request("python/execute", {"code": code, **parameters})


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
async def test_artifacts_make_no_folder_outside_of_the_roots(task: TaskContext, root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (root / "artifacts").symlink_to(outside)
    with pytest.raises(ForbiddenError, match="outside of the allowed folders"):
        keep([Artifact("a/b.txt", b"x")], ["**"], task)
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(
    ("pattern", "fits", "others"),
    [
        ("**/*.csv", ["a.csv", "b/c/a.csv"], ["a.txt", "a.csv/b"]),
        ("a/**", ["a/b", "a/b/c"], ["a", "b/a"]),
        ("a/", ["a/b", "a/b/c"], ["a", "b/a/c"]),
        ("a/**/b", ["a/b", "a/c/d/b"], ["b", "a/b/c"]),
        ("./*", ["a"], ["a/b"]),
        ("**/" * 40 + "x", ["x", "a/" * 63 + "x"], ["a/" * 63 + "a"]),
    ],
)
def test_patterns_fit_at_once_however_they_are_made(pattern: str, fits: list[str], others: list[str]) -> None:
    assert all(wanted(name, [pattern]) for name in fits)
    assert not any(wanted(name, [pattern]) for name in others)


async def test_a_place_is_had_once_however_its_questions_overlap() -> None:
    turns = Turns(2)
    place, others = Place(turns, "a"), [Place(turns, name) for name in "bc"]
    answers, others_end = [anyio.Event(), anyio.Event()], anyio.Event()

    async def ask(answered: anyio.Event) -> None:
        async with place.lent():
            await answered.wait()

    async def work(other: Place) -> None:
        async with other.held():
            await others_end.wait()

    async with anyio.create_task_group() as group, place.held(), anyio.create_task_group() as questions:
        questions.start_soon(ask, answers[0])
        await anyio.wait_all_tasks_blocked()
        for other in others:
            group.start_soon(work, other)
        await anyio.wait_all_tasks_blocked()
        answers[0].set()  # its place is somebody else's now, for which it waits
        await anyio.wait_all_tasks_blocked()
        questions.start_soon(ask, answers[1])
        await anyio.wait_all_tasks_blocked()
        others_end.set()
        await anyio.wait_all_tasks_blocked()
        answers[1].set()
    with anyio.fail_after(1):
        await turns.enter("d")
        await turns.enter("e")


@pytest.mark.parametrize("number", ["1e999", "-1E+0400", "9" * 250 + "e99", "9" * 400 + ".0"])
def test_a_number_that_json_has_not_is_refused_however_it_is_written(number: str) -> None:
    with pytest.raises(FrameError, match="too large"):
        parsed(b'{"end": {"ok": true, "value": ' + number.encode() + b"}}")


def test_what_is_no_text_is_not_made_one() -> None:
    end = read({"end": {"exit": 1, "error": {"type": [[]], "message": {}}, "broken": ["x"]}})
    assert isinstance(end, End)
    assert (end.problem and end.problem.type, end.problem and end.problem.message, end.broken) == ("Exception", "", "")


def test_a_worker_that_claims_to_be_broken_controls_no_terminal() -> None:
    end = read({"end": {"exit": 70, "broken": "\x1b[2J\nok\u202e"}})
    assert isinstance(end, End)
    assert end.broken == "\ufffd[2J\ufffdok\ufffd"


def test_a_report_is_short() -> None:
    report = read({"progress": {"done": 1, "message": "x" * (1 << 20)}})
    assert isinstance(report, Progress)
    assert len(report.message or "") == 1024


def test_lists_and_objects_count_for_the_memory_that_they_take() -> None:
    account = Account(Quota(received=8 << 20))
    account.receive(b'"' + b"x" * (7 << 20))
    with pytest.raises(FrameError, match="bytes of messages"):
        account.receive(b"[" + b"{}," * (64 << 10))


@on_linux
def test_folders_of_somebody_else_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gleitzeit_python.kernel.folders import WorkFolders

    (tmp_path / "gleitzeit-job-1-1-x").mkdir()
    theirs = os.geteuid() + 1
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: theirs)
        WorkFolders(tmp_path).sweep()
    assert len(list(tmp_path.iterdir())) == 1
    WorkFolders(tmp_path).sweep()
    assert list(tmp_path.iterdir()) == []


def test_pythonpath_names_few_folders_and_each_once() -> None:
    assert module_folders({"PYTHONPATH": os.pathsep.join(["a", "b", "a"])}) == ["a", "b"]
    with pytest.raises(LimitError, match="PYTHONPATH names 100,000 folders"):
        module_folders({"PYTHONPATH": os.pathsep.join(map(str, range(100_000)))})


@pytest.fixture
async def own() -> AsyncIterator[Any]:
    """A fork server of the tier `ll`."""
    from gleitzeit_python.kernel.layout import layout_of
    from gleitzeit_python.kernel.plan import Plan
    from gleitzeit_python.kernel.zygote import Zygote

    zygote = await Zygote.start(Plan("ll", (await layout_of(sys.executable)).read_only))
    yield zygote
    await zygote.ended()


@on_linux
async def test_without_descriptors_there_is_no_worker_and_none_is_lost(
    own: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gleitzeit_python.kernel.plan import Plan
    from gleitzeit_python.kernel.zygote import Zygote

    def none_left() -> Any:
        raise OSError(24, "Too many open files")

    before = names_in(Path("/proc/self/fd"))
    with monkeypatch.context() as patch:
        patch.setattr(socket, "socketpair", none_left)
        with pytest.raises(ProviderUnavailableError, match="Too many open files"):
            await own.spawn(None)
    with pytest.raises(OSError, match="nowhere"):
        await Zygote.start(Plan("ll", (), python="/nowhere"))
    assert names_in(Path("/proc/self/fd")) == before


@on_linux
async def test_a_worker_that_nobody_waits_for_any_more_leaves_no_folder(own: Any, tmp_path: Path) -> None:
    from gleitzeit_python.kernel.folders import WorkFolders

    folders = WorkFolders(tmp_path)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await own.spawn(folders.name())
    assert names_in(tmp_path) == set()
    own.process.kill()
    with pytest.raises(ProviderUnavailableError):
        await own.spawn(folders.name())
    assert names_in(tmp_path) == set()


@on_linux
async def test_a_fork_server_that_is_killed_leaves_no_folder(own: Any, tmp_path: Path) -> None:
    from gleitzeit_python.kernel.folders import WorkFolders

    worker = await own.spawn(WorkFolders(tmp_path).name())
    assert names_in(tmp_path) != set()
    own.process.kill()
    await own.ended()
    worker.close()
    assert names_in(tmp_path) == set()


@on_linux
async def test_it_is_the_sandbox_that_the_probe_tries_and_not_permissions(monkeypatch: pytest.MonkeyPatch) -> None:
    from gleitzeit_python.kernel import probe

    modes: list[int] = []

    async def looked_at(sandbox: Any, folder: Path, packages: Any) -> Any:
        modes.extend(place.stat().st_mode & 0o777 for place in (folder, folder / "secret"))

    monkeypatch.setattr(probe, "_tried", looked_at)
    await probe.proven(None)  # type: ignore[arg-type]
    assert modes == [0o777, 0o644]
