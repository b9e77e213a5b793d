"""Providers of every tier, and fork servers, as the user who runs the tests and as nobody."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.providers.python.stdio.dockerd import NoDockerError, docker_host
from tests.security.canaries import Canaries, canaries
from tests.security.raw import Server, pythons, usable
from tests.security.runners import Place, ProviderRunner, UnavailableError

WHOLE = os.environ.get("GLEITZEIT_SECURITY") == "full"


ROOT = sys.platform == "linux" and os.geteuid() == 0
SMALL = [("ns", "as it is"), ("ll", "nobody" if ROOT else "as it is")]
"""A tier, and the user of its fork server; only root can have another."""

ALL = [(tier, user) for tier in ("ns", "ll") for user in ("as it is", "nobody") if ROOT or user == "as it is"]
STANDINGS = ALL if WHOLE else SMALL


@pytest.fixture(scope="session", params=STANDINGS, ids="-".join)
def standing(request: pytest.FixtureRequest) -> tuple[str, str]:
    if sys.platform != "linux":
        pytest.skip("these tiers are Linux's")
    tier, user = request.param
    return tier, user


@pytest.fixture(scope="session")
def tier(standing: tuple[str, str]) -> str:
    return standing[0]


@pytest.fixture(scope="session")
def user(standing: tuple[str, str]) -> str | None:
    return "nobody" if standing[1] == "nobody" else None


@pytest.fixture(scope="session")
def python(user: str | None) -> str:
    """An interpreter that this user can run."""
    if user is None:
        return sys.executable
    found = next((python for python in pythons() if usable(python, user)), None)
    if found is None:
        pytest.skip("nobody can run no Python here, or cannot read this checkout")
    return found


@pytest.fixture(scope="session")
def server(tier: str, user: str | None, python: str) -> Iterator[Server]:
    with Server(tier, python=python, user=user) as server:
        if not server.ready:
            pytest.skip(f"{tier} cannot be had here: {server.facts}")
        yield server


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
