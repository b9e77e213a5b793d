from __future__ import annotations

import pytest

from gleitzeit_mcp.config import Server
from gleitzeit_mcp.processes.command import find_command
from gleitzeit_mcp.processes.inherited import inherited

GIVEN = {
    "SSL_CERT_FILE": "/certs/ca.pem",
    "NODE_EXTRA_CA_CERTS": "/certs/ca.pem",
    "https_proxy": "http://proxy:3128",
    "NO_PROXY": "localhost",
    "UV_CACHE_DIR": "/cache/uv",
    "PIP_INDEX_URL": "https://packages.example/simple",
    "npm_config_registry": "https://packages.example/npm",
    "XDG_CACHE_HOME": "/cache",
}
KEPT_BACK = {
    "GITHUB_TOKEN": "t0ken",
    "UV_PUBLISH_TOKEN": "t0ken",
    "UV_INDEX_OWN_PASSWORD": "s3cret",
    "UV_INDEX_URL": "https://me:s3cret@packages.example/simple",
    "HTTPS_PROXY": "http://t0ken@proxy:3128",
    "PYTHONPATH": "/elsewhere",
}


def test_the_way_to_the_network_is_passed_and_no_secret() -> None:
    passed = inherited({**GIVEN, **KEPT_BACK})
    assert passed.items() >= GIVEN.items()
    assert not KEPT_BACK.keys() & passed.keys()


@pytest.mark.anyio
async def test_a_server_s_own_environment_goes_before_what_it_inherits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/certs/ca.pem")
    command = await find_command(Server(name="a", command="sh", env={"SSL_CERT_FILE": "/own.pem"}))
    assert command.environment["SSL_CERT_FILE"] == "/own.pem"
    other = await find_command(Server(name="a", command="sh"))
    assert other.environment["SSL_CERT_FILE"] == "/certs/ca.pem"
