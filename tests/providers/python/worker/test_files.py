"""Files that a job is given, and files that it leaves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.security.raw import Ran, Server, a_job


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """A folder of the host that every user can read."""
    for parent in (tmp_path, *tmp_path.parents):
        if parent != Path(parent.anchor) and parent.stat().st_uid == os.geteuid():
            parent.chmod(parent.stat().st_mode | 0o055)
    folder = tmp_path / "given = that"
    (folder / "table").mkdir(parents=True)
    (folder / "data.csv").write_text("1,2\n", encoding="utf-8")
    (folder / "table" / "row.txt").write_text("row", encoding="utf-8")
    (folder / "library").mkdir()
    (folder / "library" / "mine.py").write_text("import os\nNAME = os.path.basename(__file__)\n", encoding="utf-8")
    return folder


@pytest.fixture
def special(tier: str, user: str | None, python: str, given: Path) -> Iterator[Server]:
    extra = [
        [str(given / "data.csv"), "/job/in/data.csv"],
        [str(given / "table"), "/job/table"],
        [str(given / "library"), "/lib.d/0"],
    ]
    with Server(tier, python=python, user=user, preload=[], extra=extra) as server:
        assert server.ready, server.facts
        yield server


def test_files_are_read_by_their_own_names_and_not_written(special: Server, given: Path) -> None:
    code = """
kept = []
for name in ("in/data.csv", "table/row.txt", "table/new.txt"):
    try: open(name, "w")
    except OSError: kept.append(name)
result = [open("in/data.csv").read(), open("table/row.txt").read(), kept]
"""
    assert special.run(code).value == ["1,2\n", "row", ["in/data.csv", "table/row.txt", "table/new.txt"]]
    assert sorted(path.name for path in (given / "table").iterdir()) == ["row.txt"]


def test_files_that_were_given_are_no_artifacts(special: Server) -> None:
    assert special.run("open('out.txt', 'w').write('x')", artifacts=["**"]).files == {"out.txt": b"x"}


def test_modules_are_found_in_the_folders_of_the_path(special: Server) -> None:
    code = "import mine\nresult = mine.NAME"
    assert special.run(code, python_path=["/lib.d/0"]).value == "mine.py"
    assert special.run(code, python_path=["/lib.d/0"], allowed_modules=["mine"]).value == "mine.py"
    assert special.run(code, python_path=["/lib.d/0"], allowed_modules=[]).error["type"] == "ImportError"
    assert special.run(code).error["type"] == "ModuleNotFoundError"


def test_a_path_that_is_not_there_is_an_error_of_the_start(user: str | None, python: str) -> None:
    with Server("ns", python=python, user=user, preload=[], extra=["/nowhere/at/all"]) as server:
        assert server.facts["step"] == "namespaces"
        assert "/nowhere/at/all" in server.facts["error"]


def left(server: Server, code: str, *patterns: str) -> Ran:
    return server.run(code, artifacts=list(patterns))


MANY = """
import os
os.makedirs("a/b")
for name in ("one.txt", "two.csv", "a/three.txt", "a/b/four.txt"):
    with open(name, "w") as file: file.write(name)
"""


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["*.txt"], {"one.txt"}),
        (["**/*.txt"], {"one.txt", "a/three.txt", "a/b/four.txt"}),
        (["a/*"], {"a/three.txt"}),
        (["a/"], {"a/three.txt", "a/b/four.txt"}),
        (["**"], {"one.txt", "two.csv", "a/three.txt", "a/b/four.txt"}),
        (["./two.csv", "*.csv"], {"two.csv"}),
        (["nothing", "/etc/passwd", "../*"], set[str]()),
        ([], set[str]()),
    ],
)
def test_artifacts_are_what_the_patterns_name(server: Server, patterns: list[str], names: set[str]) -> None:
    files = left(server, MANY, *patterns).files
    assert set(files) == names
    assert all(data == name.encode() for name, data in files.items())


def test_artifacts_are_sent_whole_and_empty_ones_too(server: Server) -> None:
    ran = left(server, "open('e', 'w').close()\nopen('l', 'wb').write(bytes(range(256)) * 4096)", "*")
    assert ran.files == {"e": b"", "l": bytes(range(256)) * 4096}


def test_links_and_folders_are_no_artifacts(server: Server) -> None:
    code = "import os\nos.symlink('/etc/passwd', 'link')\nos.mkdir('folder')\nos.symlink('/usr', 'linked')"
    assert left(server, code, "**").files == {}


def test_artifacts_have_a_limit(server: Server) -> None:
    ran = server.run("open('a', 'wb').write(bytes(2000))", artifacts=["*"], limits={"artifacts": 1000})
    assert ran.error["type"] == "ArtifactError"
    assert "1,000 bytes" in ran.error["message"]
    assert left(server, "for n in range(101): open(str(n), 'w').close()", "*").error["type"] == "ArtifactError"


def test_a_job_that_failed_leaves_its_artifacts(server: Server) -> None:
    ran = left(server, "open('log', 'w').write('x')\n1 / 0", "*")
    assert ran.files == {"log": b"x"}
    assert ran.error["type"] == "ZeroDivisionError"


def test_a_name_that_is_no_text_is_told(server: Server) -> None:
    assert list(left(server, "open(b'\\xff', 'w').close()", "*").files) == ["\udcff"]


def test_folders_of_jobs_are_gone_with_them(server: Server, tier: str) -> None:
    worker = server.spawn()
    worker.send(a_job("import os\nfor n in range(300): open(str(n), 'w').close()\nresult = os.getcwd()"))
    folder = worker.finish(10).value
    worker.close()
    server.exited(worker)
    assert server.run("1").end is not None
    if tier == "ll":
        server.settle()
        assert not Path(folder).exists()


def test_as_many_files_as_a_request_may_name(tier: str, user: str | None, python: str, given: Path) -> None:
    names = [f"f{number}.txt" for number in range(100)]
    for name in names:
        (given / name).write_text(name, encoding="utf-8")
    extra = [[str(given / name), f"/job/{name}"] for name in names]
    with Server(tier, python=python, user=user, preload=[], extra=extra) as server:
        ran = server.run(f"result = [open(name).read() for name in {names}]")
        assert ran.value == names


@pytest.mark.parametrize("standing", [("ll", "as it is")], indirect=True, ids="-".join)
def test_a_folder_that_was_made_anew_is_read_and_the_one_that_was_moved_away_is_not(
    tier: str, python: str, tmp_path: Path
) -> None:
    folder, old = tmp_path / "library", tmp_path / "old"
    folder.mkdir()
    (folder / "text").write_text("before", encoding="utf-8")
    with Server(tier, python=python, preload=[], extra=[str(folder)]) as server:
        assert server.run(f"result = open({str(folder / 'text')!r}).read()").value == "before"
        folder.rename(old)
        folder.mkdir()
        (folder / "text").write_text("after", encoding="utf-8")
        assert server.run(f"result = open({str(folder / 'text')!r}).read()").value == "after"
        assert server.run(f"open({str(old / 'text')!r})").error["type"] == "PermissionError"
