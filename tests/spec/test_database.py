"""The database provider of the document, with a real asyncpg and a real PostgreSQL."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

RunProgram = Callable[..., CompletedProcess[str]]

# Registers the provider, fills the table that the document's workflow asks for, and runs that workflow.
PROGRAM = """
import asyncio, json, sys
import asyncpg
from db_protocol import DATABASE_PROTOCOL_V1, DatabaseProvider
from gleitzeit import GleitzeitClient
from gleitzeit.registry import ProtocolProviderRegistry

async def main(address):
    connection = await asyncpg.connect(address)
    await connection.execute("CREATE TABLE users (id int PRIMARY KEY, name text, active boolean)")
    await connection.execute("INSERT INTO users VALUES (1, 'Ada', true), (2, 'Bob', false), (3, 'Cy', true)")
    await connection.close()
    provider = DatabaseProvider("db-1", address)
    ProtocolProviderRegistry.get_instance().register_provider(DATABASE_PROTOCOL_V1, provider)
    async with GleitzeitClient(mode="native") as client:
        run = await client.run_workflow("fetch_users.yaml")
        print(json.dumps({"run": run.to_dict(), "pool_size": provider.pool.get_size()}))
    assert provider.pool.is_closing(), "the provider was not shut down"

asyncio.run(main(sys.argv[1]))
"""


def programs() -> Path | None:
    """The folder with `initdb` and `postgres`, which Debian keeps off the PATH."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


def unprivileged() -> dict[str, Any]:
    """Arguments for subprocess: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    import pwd

    account = next((entry for entry in pwd.getpwall() if entry.pw_name in {"postgres", "nobody"}), None)
    if account is None:
        pytest.skip("running as root, and there is no account to start PostgreSQL with")
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


@contextmanager
def folder_of(user: dict[str, Any]) -> Generator[Path]:
    """A folder with a short name, for it holds a socket, that belongs to whom the server runs as."""
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp", ignore_cleanup_errors=True) as name:
        if user:
            os.chown(name, user["user"], user["group"])
        yield Path(name)


@contextmanager
def running(command: list[str], **options: Any) -> Generator[None]:
    """A PostgreSQL server from the moment it takes connections."""
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, encoding="utf-8", **options) as server:
        assert server.stderr is not None
        told: list[str] = []
        try:
            for line in server.stderr:
                told.append(line)
                if "ready to accept connections" in line:
                    yield
                    break
            else:
                pytest.fail("PostgreSQL did not start:\n" + "".join(told))
        finally:
            server.send_signal(signal.SIGINT)  # "fast" shutdown: connections that are left are cut
            server.stderr.read()


@pytest.fixture
def database() -> Iterator[str]:
    """The address of an empty database, on a socket that only this test knows."""
    found = programs()
    if found is None:
        pytest.skip("there are no programs of PostgreSQL on this machine")
    user = unprivileged()
    with folder_of(user) as folder:
        options: dict[str, Any] = {"cwd": folder, "env": {"LC_ALL": "C", "PATH": os.environ["PATH"]}, **user}
        create = ["initdb", "--username=gleitzeit", "--auth=trust", "--no-sync", "--encoding=UTF8", "data"]
        subprocess.run([found / create[0], *create[1:]], check=True, capture_output=True, timeout=60, **options)
        command = [str(found / "postgres"), "-D", "data", "-k", str(folder), "-F", "-c", "listen_addresses="]
        with running(command, **options):
            yield f"postgresql://gleitzeit@/postgres?host={folder}"


@pytest.mark.postgres
@pytest.mark.skipif(os.name != "posix", reason="the throw-away server is reached by a Unix socket")
def test_the_database_provider_answers_the_workflow_from_a_real_database(
    database: str, tmp_path: Path, document_blocks: Mapping[int, str], table: list[Any], run_program: RunProgram
) -> None:
    (tmp_path / "db_protocol.py").write_text(table[21].complete(document_blocks[22]), encoding="utf-8")
    (tmp_path / "fetch_users.yaml").write_text(document_blocks[23], encoding="utf-8")
    answer = json.loads(run_program("-W", "error", "-c", PROGRAM, database).stdout)
    assert answer["run"]["status"] == "completed"
    rows = [{"id": 1, "name": "Ada", "active": True}, {"id": 3, "name": "Cy", "active": True}]
    assert answer["run"]["tasks"]["fetch_users"]["result"] == {"rows": rows}
    assert answer["pool_size"] >= 1
