"""Providers of every tier, as the user who runs the tests and as nobody."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.providers.python.stdio.dockerd import NoDockerError, docker_host
from tests.security.canaries import Canaries, canaries
from tests.security.runners import Place, ProviderRunner, UnavailableError

WHOLE = os.environ.get("GLEITZEIT_SECURITY") == "full"


@pytest.fixture(params=["ns", "ll"] if WHOLE else ["ns"])
def tier(request: pytest.FixtureRequest) -> str:
    """A tier of the kernel, for what does not depend on it much."""
    return str(request.param)


@pytest.fixture(scope="module")
def alive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Canaries]:
    """The canaries. Their folder can be reached by every user, so that nothing but the sandbox keeps code out."""
    folder = tmp_path_factory.mktemp("canaries")
    for parent in (folder, *folder.parents):
        if parent != Path(parent.anchor) and parent.stat().st_uid == os.geteuid():
            parent.chmod(parent.stat().st_mode | 0o055)
    with canaries(folder / "birds") as found:
        yield found


class Runners:
    """A server for each place, started when it is first wanted."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._daemon: str | None = None
        self._found: dict[Place, ProviderRunner | str] = {}

    def at(self, place: Place) -> ProviderRunner:
        """The one of a place; where there can be none, the test is skipped."""
        if place not in self._found:
            try:
                self._found[place] = self._stack.enter_context(self._started(place))
            except UnavailableError as error:
                self._found[place] = str(error)
        found = self._found[place]
        if isinstance(found, str):
            pytest.skip(found)
        return found

    def another(self, place: Place) -> ProviderRunner:
        """One that belongs to whoever asks for it."""
        try:
            return self._started(place)
        except UnavailableError as error:
            pytest.skip(str(error))

    def _started(self, place: Place) -> ProviderRunner:
        if place.tier in ("ns", "ll") and sys.platform != "linux":
            raise UnavailableError(f"{place.tier} needs Linux")
        settings = {"docker": {"host": self._docker()}} if place.tier == "docker" else {}
        return ProviderRunner(place.tier, place.user, **settings)

    def _docker(self) -> str:
        """The address of a real daemon, which is there until the last of its servers has ended."""
        if self._daemon is None:
            try:
                self._daemon = self._stack.enter_context(docker_host(self._folder))
            except NoDockerError as error:
                raise UnavailableError(str(error)) from error
        return self._daemon


@pytest.fixture(scope="session")
def runners(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runners]:
    with ExitStack() as stack:
        yield Runners(tmp_path_factory.mktemp("docker"), stack)
