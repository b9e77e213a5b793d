"""Every mistake in a configuration names its key, where it is written, and how to mend it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gleitzeit.config import Configuration, load_configuration
from gleitzeit.config.later import COMES_LATER
from gleitzeit.core.errors import ConfigurationError, GleitzeitError, UnsupportedError

Load = Callable[..., Configuration]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("server:\n  prot: 1\n", "server.prot (config.yaml, line 2): unknown key", 'did you mean "port"?'),
        ("servr: {}\n", "servr (config.yaml, line 1): unknown key", 'did you mean "server"?'),
        ("xyz: 1\n", "xyz (config.yaml, line 1): unknown key", "the sections are providers, mcp"),
        ("server:\n  port: many\n", "server.port (config.yaml, line 2): must be a whole number", ""),
        ("\nserver:\n  port: 70000\n", "server.port (config.yaml, line 3): must be at most 65535", ""),
        ("server: 3\n", "server (config.yaml, line 1): a section is a mapping of keys, not 3", ""),
        ("- server\n", "the file is not a mapping of sections", "the sections are"),
        ("server:\n  port: 1\n  port: 2\n", 'line 3: the key "port" is given twice', "keep one"),
        ("1: x\n", "line 1: a key must be a text", "quotes"),
        ("a: [\n", "line 2, column 1", "mend the YAML"),
        ("a: !!python/object:os.system x\n", "could not determine a constructor", "mend the YAML"),
        ("providers:\n  ollama: 3\n", "providers.ollama (config.yaml, line 2): must be a mapping of keys", ""),
        ("engine:\n  kind: remote\n", "engine.kind (config.yaml, line 2): must be 'local' or 'temporal'", ""),
        (
            "providers:\n  ollama: {endpoint: '${HOTS}'}\n",
            "providers.ollama.endpoint: the environment variable HOTS is not set",
            'set HOTS, or write ${HOTS:-default}; did you mean "HOST"?',
        ),
        ("providers: {a: {b: ['${9}']}}\n", 'providers.a.b[0]: "${9}" does not name', "write $$"),
        ("secrets:\n  KEY: plain-text\n", "secrets.KEY: a secret is not written", "{env: VARIABLE}"),
        ("secrets:\n  KEY: {env: NOPE}\n", "secrets.KEY: the environment variable NOPE is not set", "set NOPE"),
        ("secrets:\n  KEY: {file: nope.txt}\n", "secrets.KEY: ", ""),
        ("policy: {deny: 3}\n", "policy.deny (config.yaml, line 1): must be a list", ""),
        ("files: {roots: [nowhere]}\n", "is not a folder", "create it"),
        ("limits: {result_tokens: 1}\n", "limits.result_tokens (config.yaml, line 1): must be at least 100", ""),
        ("limits: {provider_parallel: 0}\n", "limits.provider_parallel (config.yaml, line 1): must be at least 1", ""),
        ("engine: {database: 3}\n", "engine.database (config.yaml, line 1): must be text", ""),
        ("engine: {database: ''}\n", "engine.database (config.yaml, line 1): must be a file, or memory", "runs.db"),
        ("engine: {database: ':memory:'}\n", "engine.database (config.yaml, line 1): must be a file, or memory", ""),
        ("engine: {database: 'sqlite:///x'}\n", "must be a file, or memory", "name a file such as runs.db"),
        ("engine: {durability: off}\n", "engine.durability (config.yaml, line 1): must be 'full' or 'normal'", ""),
        ("engine: {keep: 30d}\n", "engine.keep (config.yaml, line 1): must be a mapping of keys", ""),
        ("engine: {keep: {day: 3}}\n", "engine.keep.day (config.yaml, line 1): unknown key", 'did you mean "days"?'),
        ("engine: {keep: {runs: 0}}\n", "engine.keep.runs (config.yaml, line 1): must be at least 1", ""),
    ],
)
def test_a_mistake_in_the_file(load: Load, text: str, message: str, hint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(text, {"HOST": "box"})
    assert message in str(caught.value)
    assert hint in (caught.value.hint or "")


def test_all_mistakes_are_told_at_once(load: Load) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load("server:\n  prot: 1\n  host: 3\nlimits:\n  result_byts: 3\n")
    assert [line.split(" ")[0] for line in str(caught.value).splitlines()] == [
        "server.host",
        "server.prot",
        "limits.result_byts",
    ]


def test_a_mistake_in_a_variable_names_the_variable(load: Load) -> None:
    with pytest.raises(ConfigurationError, match=r"server.port \(environment variable GLEITZEIT_SERVER__PORT\)"):
        load("", {"GLEITZEIT_SERVER__PORT": "many"})
    with pytest.raises(ConfigurationError, match=r"servr \(environment variable GLEITZEIT_SERVR__PORT\): unknown key"):
        load("", {"GLEITZEIT_SERVR__PORT": "1"})


def test_two_variables_that_contradict_each_other(load: Load) -> None:
    with pytest.raises(ConfigurationError, match="already has a value of its own"):
        load("", {"GLEITZEIT_PROVIDERS__OLLAMA": "x", "GLEITZEIT_PROVIDERS__OLLAMA__TIMEOUT": "1"})


def test_a_mistake_never_shows_the_value(load: Load) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load("server:\n  port: hunter2\n")
    assert "hunter2" not in str(caught.value) + str(caught.value.hint)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(("content", "message"), [(None, "No such file"), (b"\xff\xfe\x00", "not UTF-8 text")])
def test_a_named_file_that_cannot_be_read(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "named.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=message):
        load_configuration(file, {})


def test_a_very_large_file_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    file.write_bytes(b"#" * (1 << 20) + b"\n")
    with pytest.raises(ConfigurationError, match="at most"):
        load_configuration(file, {})


VALUES = {
    "engine.kind=temporal": "engine: {kind: temporal}",
    "server.tokens": "server: {tokens: [{name: me, hash: x}]}",
    "server.allowed_hosts": "server: {allowed_hosts: [box]}",
    "server.allowed_origins": "server: {allowed_origins: ['http://box']}",
    "server.expose_tools": "server: {expose_tools: true}",
    "server.audit": "server: {audit: audit.log}",
    "policy.ask": "policy: {ask: ['mcp/tool.*']}",
    "workflows.directories": "workflows: {directories: [w]}",
}


@pytest.mark.parametrize("entry", COMES_LATER)
def test_a_key_that_comes_later_is_refused_and_not_ignored(load: Load, entry: str) -> None:
    key = entry.partition("=")[0]
    with pytest.raises(UnsupportedError, match=rf"{key} \(config.yaml, line 1\) is not supported") as caught:
        load(VALUES[entry])
    assert caught.value.hint == f"remove {key} to go on without it"


def test_the_local_engine_may_be_named(load: Load) -> None:
    assert load("engine: {kind: local, max_parallel_tasks: 3}").engine.max_parallel_tasks == 3


def test_every_mistake_is_an_error_of_gleitzeit(load: Load) -> None:
    for text in ("a: &a [*a]", "a: *b", "? [1]\n: 2", "\t", "server: {port: {a: 1}}", "mcp: {servers: 3}", "mcp: []"):
        with pytest.raises(GleitzeitError):
            load(text)
