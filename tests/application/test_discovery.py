"""Providers enter by entry points and modules, each into a registry of its own by a distribution made up for it."""

from __future__ import annotations

import importlib
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from gleitzeit.application import open_application
from gleitzeit.config import Configuration, load_configuration
from gleitzeit.core.errors import GleitzeitError
from gleitzeit.registry import ProtocolProviderRegistry

Explore = Callable[..., dict[str, Any]]
Call = tuple[str, dict[str, Any]]

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "providers.md"

PLUG = """
from pydantic import BaseModel, ConfigDict
from gleitzeit.core.errors import ConfigurationError
from gleitzeit.core.protocol import Protocol
from gleitzeit.providers.base import ProtocolProvider
from gleitzeit.registry import ProtocolProviderRegistry

class Section(BaseModel):
    model_config = ConfigDict(extra="forbid")
    endpoint: str = "nowhere"
    retries: int = 1

class Plug(ProtocolProvider):
    protocol = Protocol("plug/v1", methods=["plug/in"])
    config_model = Section

    def __init__(self, provider_id, config=None, **kwargs):
        super().__init__(provider_id, "plug/v1", name="A plug")
        self.config = config

    async def handle_request(self, method, parameters):
        return {"config": self.config, "id": self.provider_id}

class Minimal(ProtocolProvider):
    protocol = Protocol("plug/v1", methods=["plug/in"])

    def __init__(self, provider_id, connection_string):
        super().__init__(provider_id, "plug/v1")
        self.connection_string = connection_string

    async def handle_request(self, method, parameters):
        return {"connection": self.connection_string, "id": self.provider_id}

class Overriding(Minimal):
    @classmethod
    def from_config(cls, provider_id, config):
        return cls(provider_id, config["connection"])

class Whole(Plug):
    @classmethod
    def from_config(cls, provider_id, config):
        assert isinstance(config, Section)
        return cls(provider_id, {"whole": config.endpoint})

class Strict(Plug):
    config_model = None

    def __init__(self, provider_id, config=None):
        raise ConfigurationError("the licence is missing")

class Unbuildable(Plug):
    def __init__(self, provider_id, config=None):
        raise RuntimeError("no licence")

def register():
    ProtocolProviderRegistry.get_instance().register_provider("plug/v1", Plug("by-function", {}))

def fail():
    raise RuntimeError("no luck")

number = 3
"""


@pytest.fixture
def nothing_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if the process had just started; what is imported from the test's folder goes with it."""
    monkeypatch.setattr(ProtocolProviderRegistry, "_instance", None)
    monkeypatch.setattr(sys, "path", [*sys.path])
    known = set(sys.modules)
    yield
    for name in set(sys.modules) - known:
        if Path(sys.modules[name].__file__ or "/").is_relative_to(tmp_path):
            del sys.modules[name]
    importlib.invalidate_caches()


@pytest.fixture
def explore(tmp_path: Path, nothing_imported: None, caplog: pytest.LogCaptureFixture) -> Explore:
    """Open an application where a distribution has these entry points, and tell what came of it."""

    def explored(
        entry_points: dict[str, str], config: str = "", call: Call = ("plug/in", {}), **files: str
    ) -> dict[str, Any]:
        site, home = tmp_path / "site", tmp_path / "home"
        metadata = site / "plug-1.0.dist-info"
        for folder in (metadata, home):
            folder.mkdir(parents=True)
        (site / "plug.py").write_text(PLUG)
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: plug\nVersion: 1.0\n")
        lines = "\n".join(f"{name} = {target}" for name, target in entry_points.items())
        (metadata / "entry_points.txt").write_text(f"[gleitzeit.providers]\n{lines}\n")
        (home / "config.yaml").write_text(config or "{}")
        for name, text in files.items():
            (home / f"{name}.py").write_text(text)
        sys.path.insert(0, str(site))
        importlib.invalidate_caches()
        found = anyio.run(_found, load_configuration(environ={"GLEITZEIT_HOME": str(home)}), call)
        return {**found, "log": caplog.text}

    return explored


async def _found(configuration: Configuration, call: Call) -> dict[str, Any]:
    method, parameters = call
    try:
        async with open_application(configuration) as application:
            registry = application.registry
            overview = {entry.provider_id: (entry.state, entry.error) for entry in registry.overview()}
            known = method in registry.known_methods()
            return {"overview": overview, "result": await registry.execute(method, parameters) if known else None}
    except GleitzeitError as error:
        return {"error": str(error), "hint": error.hint, "code": error.code}


def test_a_class_is_built_from_its_section(explore: Explore) -> None:
    found = explore({"socket": "plug:Plug"}, "providers: {socket: {endpoint: here, retries: 2}}")
    assert found["result"] == {"config": {"endpoint": "here", "retries": 2}, "id": "socket"}
    assert found["overview"]["socket"] == ("registered", None)
    assert {"mcp", "ollama", "workflow"} <= set(found["overview"])


def test_a_class_gets_the_defaults_of_its_model(explore: Explore) -> None:
    assert explore({"socket": "plug:Plug"})["result"]["config"] == {"endpoint": "nowhere", "retries": 1}


def test_a_class_says_itself_how_it_is_built(explore: Explore) -> None:
    found = explore({"socket": "plug:Overriding"}, "providers: {socket: {connection: here}}")
    assert found["result"] == {"connection": "here", "id": "socket"}


def test_a_class_that_says_so_gets_its_model(explore: Explore) -> None:
    found = explore({"socket": "plug:Whole"}, "providers: {socket: {endpoint: here}}")
    assert found["result"]["config"] == {"whole": "here"}


def test_a_section_that_its_class_refuses_is_an_error(explore: Explore) -> None:
    found = explore({"socket": "plug:Strict"}, "providers: {socket: {key: wrong}}")
    assert (found["code"], found["error"]) == ("configuration_invalid", "the licence is missing")


def test_the_class_of_the_documentation_enters_by_its_entry_point(explore: Explore) -> None:
    (block,) = re.findall(r"^  ```python\n(.*?)^  ```$", DOCUMENTATION.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    found = explore(
        {"greeting": "gleitzeit_greeting:GreetingProvider"},
        "providers: {path: [.], greeting: {words: Good day}}",
        call=("greeting/say", {"name": "Ada"}),
        gleitzeit_greeting=textwrap.dedent(block),
    )
    assert found["result"] == {"text": "Good day, Ada!"}
    assert found["overview"]["greeting"] == ("registered", None)


def test_a_function_registers_by_itself(explore: Explore) -> None:
    assert explore({"socket": "plug:register"})["result"]["id"] == "by-function"


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("missing_module:Plug", "ModuleNotFoundError"),
        ("plug:Missing", "AttributeError"),
        ("plug:Unbuildable", "RuntimeError: no licence"),
        ("plug:Strict", "the licence is missing"),
        ("plug:Minimal", "Minimal can't be built with provider_id and config: missing a required argument"),
        ("plug:fail", "RuntimeError: no luck"),
        ("plug:number", "neither a ProtocolProvider nor a function"),
    ],
)
def test_a_broken_entry_point_is_told_and_stops_nobody(explore: Explore, target: str, reason: str) -> None:
    found = explore({"bad": target, "good": "plug:Plug"})
    state, error = found["overview"]["bad"]
    assert state == "broken"
    assert reason in error
    assert "provider bad could not be loaded" in found["log"]
    assert found["result"]["id"] == "good"


@pytest.mark.parametrize(
    ("section", "error", "hint"),
    [
        ("socket: {endpont: x}", "providers.socket.endpont (config.yaml, line 2): unknown key", 'mean "endpoint"?'),
        ("socket: {retries: x}", "providers.socket.retries (config.yaml, line 2): must be a whole number", None),
        ("sockt: {}", "providers.sockt (config.yaml, line 2): no such provider is installed", 'mean "socket"?'),
    ],
)
def test_a_section_that_does_not_fit_is_an_error(explore: Explore, section: str, error: str, hint: str | None) -> None:
    found = explore({"socket": "plug:Plug"}, f"providers:\n  {section}\n")
    assert found["code"] == "configuration_invalid"
    assert error in found["error"]
    assert hint is None or hint in found["hint"]


def test_a_wrong_downstream_server_is_an_error_with_its_place(explore: Explore) -> None:
    found = explore({}, "mcp:\n  servers:\n    - name: a\n      comand: [x]\n")
    assert "mcp.servers[0].comand (config.yaml, line 4): unknown key" in found["error"]


def test_a_module_registers_when_it_is_named(explore: Explore) -> None:
    config = "providers: {modules: [mine], path: [.]}"
    found = explore({}, config, mine="import plug\nplug.register()\n")
    assert found["result"]["id"] == "by-function"


def test_a_broken_module_is_told_and_stops_nobody(explore: Explore) -> None:
    config = "providers: {modules: [mine, nowhere], path: [.]}"
    found = explore({"good": "plug:Plug"}, config, mine="import os\n1 / 0\n")
    state, error = found["overview"]["mine"]
    assert state == "broken"
    assert error.startswith("ZeroDivisionError: division by zero (")
    assert error.endswith("mine.py, line 2)")
    assert 'there is no module "nowhere"' in found["overview"]["nowhere"][1]
    assert found["result"]["id"] == "good"


def test_a_module_that_lacks_another_is_told_with_the_line_that_imports_it(explore: Explore) -> None:
    config = "providers: {modules: [mine], path: [.]}"
    state, error = explore({}, config, mine="import missing_module\n")["overview"]["mine"]
    assert state == "broken"
    assert error.startswith("ModuleNotFoundError: No module named 'missing_module' (")
    assert error.endswith("mine.py, line 1)")


def test_what_a_program_registered_stays(explore: Explore) -> None:
    config = "providers: {modules: [mine], path: [.]}"
    found = explore(
        {"socket": "plug:Plug"},
        config,
        mine="import plug\nfrom gleitzeit.registry import *\n"
        "ProtocolProviderRegistry.get_instance().register_provider('plug/v1', plug.Plug('socket', 'mine'))\n",
    )
    assert found["result"]["config"] == "mine"
