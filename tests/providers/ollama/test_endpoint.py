from __future__ import annotations

import pytest

from gleitzeit_ollama.addresses import Endpoint


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("http://localhost:11434", "http://localhost:11434"),
        ("http://localhost:11434/", "http://localhost:11434"),
        ("http://localhost:11434/api", "http://localhost:11434"),
        ("http://localhost:11434/api/", "http://localhost:11434"),
        ("http://localhost:11434/v1", "http://localhost:11434"),
        ("localhost:11434", "http://localhost:11434"),
        ("  gpu-box  ", "http://gpu-box"),
        ("HTTPS://Models.Example/ollama/", "https://models.example/ollama"),
        ("http://[::1]:11434", "http://[::1]:11434"),
        ("http://0.0.0.0:11434", "http://127.0.0.1:11434"),
        ("http://[::]:11434", "http://[::1]:11434"),
        ("https://me:pw@models.example", "https://me:pw@models.example"),
    ],
)
def test_what_people_write_becomes_one_base_url(written: str, url: str) -> None:
    assert Endpoint.parse(written).url == url


@pytest.mark.parametrize(
    "written",
    [
        "",
        "http://",
        "ftp://host",
        "http://host:port",
        "http://host:70000",
        "http://a b",
        "http://h/?x=1",
        "http://h/#x",
        "http://[::1",
        "http://host\0",
        "http://host/\u202e",
        "http://host/\ud800",
    ],
)
def test_what_is_no_address_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"address|query|port"):
        Endpoint.parse(written)


def test_a_password_does_not_show() -> None:
    assert Endpoint.parse("https://me:pw@models.example/x").shown == "https://models.example/x"
    assert Endpoint.parse("me:p@w@models.example").shown == "http://models.example"


def test_what_may_be_the_end_of_a_password_is_no_path() -> None:
    with pytest.raises(ValueError, match="%2F") as caught:
        Endpoint.parse("http://me:11/secret@models.example")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "loopback"),
    [
        ("localhost", True),
        ("ollama.localhost", True),
        ("127.0.0.1:1", True),
        ("http://127.9.9.9", True),
        ("http://[::1]", True),
        ("http://0.0.0.0", True),
        ("http://10.0.0.1", False),
        ("http://localhost.example", False),
    ],
)
def test_loopback_is_told_from_the_network(written: str, loopback: bool) -> None:
    assert Endpoint.parse(written).loopback is loopback
