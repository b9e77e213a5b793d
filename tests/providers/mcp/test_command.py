"""A server's command is found as a login shell would find it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from gleitzeit.core.errors import ConfigurationError
from gleitzeit_mcp.config import Server
from gleitzeit_mcp.processes.command import find_command, split
from gleitzeit_mcp.processes.login_path import login_path, login_shell
from gleitzeit_mcp.processes.usual_places import usual_places
from gleitzeit_mcp.processes.whereabouts import startable

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(os.name == "nt", reason="its login shells are shell scripts"),
]

POOR_PATH = "/usr/bin:/bin"

LoginShell = Callable[[str], Path]


@pytest.fixture
def login_shell_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LoginShell:
    """Makes a script the login shell, on a machine whose PATH is poor: it may do things before it answers."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("PATH", POOR_PATH)
    monkeypatch.setenv("HOME", str(home))

    def made(startup_file: str) -> Path:
        shell = tmp_path / "shell"
        answer = 'while [ "$1" != -c ]; do shift; done; eval "$2"'
        shell.write_text(f"#!/bin/sh\necho asked >> {tmp_path}/asked\n{startup_file}\n{answer}\n")
        shell.chmod(0o755)
        monkeypatch.setenv("SHELL", str(shell))
        return shell

    return made


def program(folder: Path, name: str, text: str = "#!/bin/sh\n") -> Path:
    """A program in a folder that is not on PATH."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def times_asked(shell: Path) -> int:
    asked = shell.parent / "asked"
    return len(asked.read_text().splitlines()) if asked.exists() else 0


async def refusal(server: Server) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as failure:
        await find_command(server)
    return failure.value


async def test_what_is_on_path_is_found_without_asking_the_login_shell(login_shell_that: LoginShell) -> None:
    shell = login_shell_that("PATH=/elsewhere:$PATH")
    command = await find_command(Server(name="a", command="sh", args=("-c", "true")))
    assert command.argv[1:] == ("-c", "true")
    assert command.environment["PATH"] == POOR_PATH
    assert times_asked(shell) == 0


async def test_what_only_the_login_shell_knows_starts_with_its_path(
    login_shell_that: LoginShell, tmp_path: Path
) -> None:
    folder = tmp_path / "node" / "bin"
    program(folder, "own-node", "#!/bin/sh\necho v22\n")
    found = program(folder, "own-npx", "#!/bin/sh\nexec own-node\n")
    login_shell_that(f"PATH={folder}:$PATH")
    with anyio.fail_after(10):
        command = await find_command(Server(name="a", command="own-npx -y some-server"))
    assert command.argv == (str(found), "-y", "some-server")
    assert command.environment["PATH"] == f"{folder}:{POOR_PATH}"
    assert (await anyio.run_process(command.argv, env=command.environment)).stdout == b"v22\n"


async def test_noise_of_startup_files_does_not_disturb(login_shell_that: LoginShell, tmp_path: Path) -> None:
    found = program(tmp_path / "bin", "quiet-server")
    login_shell_that(
        f'echo "welcome to $PATH"; printf "\\033]0;title"; echo oops >&2; set -x\nPATH={found.parent}:$PATH'
    )
    with anyio.fail_after(10):
        command = await find_command(Server(name="a", command="quiet-server"))
    assert command.argv == (str(found),)


async def test_a_startup_file_finds_no_terminal_and_nothing_to_read(
    login_shell_that: LoginShell, tmp_path: Path
) -> None:
    found = program(tmp_path / "bin", "asking-server")
    login_shell_that(f"read -r answer; (: < /dev/tty) 2>/dev/null && exit 1\nPATH={found.parent}:$PATH")
    with anyio.fail_after(10):
        assert (await find_command(Server(name="a", command="asking-server"))).argv == (str(found),)


async def test_the_login_shell_is_asked_once_for_all_servers(login_shell_that: LoginShell, tmp_path: Path) -> None:
    program(tmp_path / "bin", "one-server")
    program(tmp_path / "bin", "other-server")
    shell = login_shell_that(f"PATH={tmp_path / 'bin'}:$PATH")
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for name in ("one-server", "other-server", "one-server"):
                tasks.start_soon(find_command, Server(name=name, command=name))
    assert times_asked(shell) == 1


async def test_a_login_shell_that_hangs_is_ended_with_what_it_started(
    login_shell_that: LoginShell, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    login_shell_that(f"sleep 600 & echo $! > {pids}; echo $$ >> {pids}; sleep 600")
    started = time.monotonic()
    with anyio.fail_after(10):
        answer = await login_path(limit=0.5)
    assert answer.value is None
    assert "within 0.5 s" in answer.problem
    assert time.monotonic() - started < 5
    with anyio.fail_after(10):
        while any(alive(int(pid)) for pid in pids.read_text().split()):
            await anyio.lowlevel.checkpoint()


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z" if stat.parent.parent.exists() else False
    except OSError:
        return False


async def test_what_runs_on_in_the_background_does_not_hold_up_the_answer(
    login_shell_that: LoginShell, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    login_shell_that(f"sleep 600 & echo $! > {pid}\nPATH=/background:$PATH")
    with anyio.fail_after(5):
        answer = await login_path()
    os.kill(int(pid.read_text()), 9)
    assert answer.value == f"/background:{POOR_PATH}"


async def test_others_go_on_while_the_login_shell_thinks(login_shell_that: LoginShell) -> None:
    shell = login_shell_that("sleep 600")
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(login_path)
            while times_asked(shell) == 0:
                await anyio.lowlevel.checkpoint()
            assert (await find_command(Server(name="a", command="sh"))).argv[0].endswith("/sh")
            tasks.cancel_scope.cancel()


async def test_a_shell_that_is_replaced_when_a_person_talks_to_it_is_asked_otherwise(
    login_shell_that: LoginShell,
) -> None:
    login_shell_that('case "$*" in *"-i"*) exit 0 ;; esac\nPATH=/login-only:$PATH')
    with anyio.fail_after(10):
        assert (await login_path()).value == f"/login-only:{POOR_PATH}"


async def test_a_program_that_only_its_installer_knows_is_found(login_shell_that: LoginShell) -> None:
    login_shell_that("exit 1")
    home = Path(os.environ["HOME"])
    older = program(home / ".nvm/versions/node/v9.11.0/bin", "node-server")
    newer = program(home / ".nvm/versions/node/v22.1.0/bin", "node-server")
    with anyio.fail_after(10):
        command = await find_command(Server(name="a", command="node-server"))
    assert command.argv == (str(newer),)
    assert command.environment["PATH"].startswith(f"{newer.parent}:")
    assert older.is_file()


async def test_a_program_named_by_its_path_finds_what_lies_beside_it(
    login_shell_that: LoginShell, tmp_path: Path
) -> None:
    shell = login_shell_that("")
    named = program(tmp_path / "node", "npx")
    command = await find_command(Server(name="a", command=(str(named), "-y", "x")))
    assert command.argv == (str(named), "-y", "x")
    assert command.environment["PATH"] == f"{POOR_PATH}:{named.parent}"
    assert times_asked(shell) == 0


async def test_a_path_of_its_own_is_the_only_one_that_counts(login_shell_that: LoginShell, tmp_path: Path) -> None:
    found = program(tmp_path / "bin", "known-server")
    shell = login_shell_that(f"PATH={found.parent}:$PATH")
    error = await refusal(Server(name="a", command="known-server", env={"PATH": "/nowhere"}))
    assert error.message == 'server "a": the command known-server is not on the PATH of its env'
    assert times_asked(shell) == 0


async def test_what_is_nowhere_is_told_with_the_fix(login_shell_that: LoginShell) -> None:
    login_shell_that("PATH=/only-here")
    with anyio.fail_after(10):
        error = await refusal(Server(name="a", command="no-such-server"))
    assert "no-such-server is not on PATH, on that of the login shell" in error.message
    assert error.hint == "install no-such-server, or give its full path in `command`"


async def test_a_path_that_leads_nowhere_and_a_missing_folder_are_told(tmp_path: Path) -> None:
    error = await refusal(Server(name="a", command="./server", working_dir=str(tmp_path)))
    assert "./server is not there, or cannot be executed" in error.message
    gone = await refusal(Server(name="a", command="sh", working_dir=str(tmp_path / "gone")))
    assert "working_dir" in gone.message


def test_the_shell_of_the_account_stands_in_where_none_is_named() -> None:
    named = login_shell({})
    assert named is None or Path(named).is_absolute()
    assert login_shell({"SHELL": "/bin/sh"}) == "/bin/sh"
    assert login_shell({"SHELL": "sh"}) == named


def test_windows_starts_the_script_for_cmd_and_not_that_for_a_shell(tmp_path: Path) -> None:
    for name in ("npx", "npx.cmd"):
        (tmp_path / name).touch()
    of_shell, of_cmd = str(tmp_path / "npx"), str(tmp_path / "npx.cmd")
    suffixes = (".COM", ".EXE", ".BAT", ".CMD")
    assert startable(of_shell, "npx", suffixes) == of_cmd
    assert startable(of_cmd, "npx", suffixes) == of_cmd
    assert startable(None, of_shell, suffixes) == of_cmd
    assert startable(None, "npx", suffixes) is None
    assert startable(of_shell, "npx", ()) == of_shell


def test_a_backslash_in_a_command_of_windows_stays() -> None:
    assert split(r'"C:\Program Files\nodejs\npx.cmd" -y x', "win32") == [
        r"C:\Program Files\nodejs\npx.cmd",
        "-y",
        "x",
    ]
    assert split("'my server' -y", "linux") == ["my server", "-y"]


def test_windows_has_usual_places_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "npm").mkdir()
    assert usual_places(tmp_path, {"APPDATA": str(tmp_path)}, "win32") == [str(tmp_path / "npm")]
