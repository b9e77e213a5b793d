"""The three tiers whose workers have standard streams only, and what their code asks of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.providers.python.stdio.dockerd import NoDockerError, docker_host

from gleitzeit.core.errors import ForbiddenError
from gleitzeit_python.docker.hub import DockerHub
from gleitzeit_python.docker.sandbox import DockerSandbox
from gleitzeit_python.plain import PlainSandbox
from gleitzeit_python.sandbox.base import Sandbox
from gleitzeit_python.wasm.runtime import availability
from gleitzeit_python.wasm.sandbox import WasmSandbox


@dataclass
class Asked:
    """A host that answers, and keeps what it was asked."""

    calls: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list[tuple[str, Mapping[str, Any]]])
    reports: list[tuple[float, float | None, str | None]] = field(
        default_factory=list[tuple[float, float | None, str | None]]
    )

    async def call(self, method: str, parameters: Mapping[str, Any]) -> Any:
        self.calls.append((method, parameters))
        if method == "no/way":
            raise ForbiddenError("no/way may not be called", hint="leave it")
        return {"method": method, **parameters}

    async def progress(self, done: float, total: float | None, message: str | None) -> None:
        self.reports.append((done, total, message))

    async def ask(self, message: str, schema: Mapping[str, Any] | None) -> Any:
        return {"asked": message}

    def waited(self) -> float:
        return 0.0


@pytest.fixture(scope="session")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real daemon."""
    try:
        with docker_host(tmp_path_factory.mktemp("docker")) as host:
            yield host
    except NoDockerError as error:
        pytest.skip(str(error))


@pytest.fixture
def host() -> Asked:
    return Asked()


def sandbox_of(tier: str, request: pytest.FixtureRequest) -> Sandbox:
    """One that is not open yet; skips the test where there is none."""
    if tier == "docker":
        return DockerSandbox(DockerHub(host=request.getfixturevalue("docker"), pool_size=1))
    if tier == "wasm":
        able = availability()
        if not able.available:
            pytest.skip(able.reason)
        return WasmSandbox(processes=1)
    return PlainSandbox()


Make = Callable[[], Sandbox]
