"""An audit log is a file that nobody else can write, that lines are only added to, and that is refused otherwise."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gleitzeit.audit.base import Entry
from gleitzeit.audit.file import AuditFile
from gleitzeit.audit.line import line_of
from gleitzeit.core.errors import ConfigurationError

posix = pytest.mark.skipif(sys.platform == "win32", reason="there are no such modes and files there")


def opened(path: Path) -> AuditFile:
    file = AuditFile(path)
    file.open()
    return file


@posix
def test_it_is_made_for_this_user_alone_with_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "kept" / "audit.jsonl"
    file = opened(path)
    file.append(b"{}\n")
    file.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.read_bytes() == b"{}\n"


def test_what_is_there_already_stays(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for number in range(3):
        file = opened(path)
        file.append(b"%d\n" % number)
        file.close()
    assert path.read_text() == "0\n1\n2\n"


def a_link(path: Path) -> None:
    (path.parent / "elsewhere").touch(mode=0o600)
    path.symlink_to(path.parent / "elsewhere")


def a_folder(path: Path) -> None:
    path.mkdir()


def a_pipe(path: Path) -> None:
    os.mkfifo(path, 0o600)


def for_all(path: Path) -> None:
    path.touch()
    path.chmod(0o666)


@posix
@pytest.mark.parametrize(
    ("make", "why"),
    [(a_link, "symbolic link"), (a_folder, "folder"), (a_pipe, "plain file"), (for_all, "other users may write")],
)
def test_what_cannot_be_kept_safe_is_refused(make: object, why: str, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    assert callable(make)
    make(path)
    with pytest.raises(ConfigurationError, match=why) as caught:
        opened(path)
    assert str(path) in caught.value.message
    assert caught.value.hint is not None


@posix
def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"server\.audit"):
        opened(tmp_path / "file" / "audit.jsonl")


@posix
def test_a_file_that_was_moved_away_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    file = opened(path)
    file.append(b"1\n")
    path.rename(tmp_path / "audit.jsonl.1")
    file.append(b"2\n")
    file.close()
    assert (tmp_path / "audit.jsonl.1").read_text() == "1\n"
    assert path.read_text() == "2\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@posix
def test_a_link_that_was_put_in_its_place_is_not_followed(tmp_path: Path) -> None:
    path, target = tmp_path / "audit.jsonl", tmp_path / "target"
    file = opened(path)
    target.touch()
    path.unlink()
    path.symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"):
        file.append(b"1\n")
    assert target.read_bytes() == b""
    path.unlink()
    file.append(b"2\n")  # it does not give up
    file.close()
    assert path.read_bytes() == b"2\n"


def test_a_line_that_was_cut_off_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.touch(mode=0o600)
    path.write_bytes(b'{"time":"20')
    file = opened(path)
    file.append(b'{"a":1}\n')
    file.append(b'{"a":2}\n')
    file.close()
    assert path.read_bytes() == b'{"time":"20\n{"a":1}\n{"a":2}\n'


def descriptor_of(path: Path) -> int:
    """The descriptor that this process has of a file."""
    return next(int(link.name) for link in Path("/proc/self/fd").iterdir() if link.exists() and link.samefile(path))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device here that is always full")
def test_a_full_disk_is_an_error_and_not_silence(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    file = opened(path)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, descriptor_of(path))
    os.close(full)
    with pytest.raises(OSError, match="No space left"):
        file.append(b"1\n")
    file.close()


WRITER = """
import sys
from pathlib import Path
from gleitzeit.audit.file import AuditFile

file = AuditFile(Path(sys.argv[1]))
file.open()
for number in range(400):
    file.append(b'{"from":"%s","text":"%s"}\\n' % (sys.argv[2].encode(), b"x" * 5000))
"""


def test_lines_of_several_processes_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    names = ["one", "two", "three"]
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name]) for name in names]
    assert [writer.wait(timeout=30) for writer in writers] == [0, 0, 0]
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert sorted(line["from"] for line in lines) == sorted(names * 400)
    assert {len(line["text"]) for line in lines} == {5000}


def test_nothing_in_a_name_can_end_or_forge_a_line() -> None:
    evil = 'probe/x\n{"caller":"admin"}\r\u2028\u202e\x00\ud800"'
    line = line_of(Entry(event="decided", id="1", caller=evil, method=evil, parameters={evil: evil}))
    assert line.count(b"\n") == 1
    assert line.isascii()
    assert all(byte >= 0x20 for byte in line[:-1])
    assert json.loads(line)["method"] == evil
    assert len(line_of(Entry(event="decided", id="1", caller="a", method="m" * 100_000))) < 1_000


def test_a_line_tells_parameters_apart_and_shows_none_of_them() -> None:
    def told(parameters: object) -> dict[str, object]:
        line: dict[str, object] = json.loads(line_of(Entry(event="decided", id="1", caller="a", parameters=parameters)))
        return line

    first, same, other = told({"a": 1, "key": "hunter2"}), told({"key": "hunter2", "a": 1.0}), told({"a": 2})
    assert "hunter2" not in json.dumps(first)
    assert first["parameters_sha256"] == same["parameters_sha256"] != other["parameters_sha256"]
    assert len(str(first["parameters_sha256"])) == 64
    assert told({"x": float("nan")})["parameters_sha256"] == "not JSON"
