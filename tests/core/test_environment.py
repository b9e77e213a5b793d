from __future__ import annotations

import pytest

from gleitzeit.core.environment import fill
from gleitzeit.core.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("a ${A} ${B:-b} $${A} $A ${A:-x}", "a 1 b ${A} $A 1"),
        ("${EMPTY}|${EMPTY:-x}|${B:-}", "|x|"),
        ("${env:A}", "1"),
        ("$$$$", "$$"),
        ("${input:token} ${A:?x}", "${input:token} ${A:?x}"),
    ],
)
def test_variables_are_filled_from_the_environment(text: str, filled: str) -> None:
    assert fill(text, {"A": "1", "EMPTY": ""}, "key") == filled


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("${HOTS}", "server.url: the environment variable HOTS is not set", 'did you mean "HOST"?'),
        ("${env:NOPE}", "server.url: the environment variable NOPE is not set", "${NOPE:-default}"),
        ("${9}", 'server.url: "${9}" does not name an environment variable', "write $$"),
    ],
)
def test_what_cannot_be_filled_is_named_with_its_place(text: str, message: str, hint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        fill(text, {"HOST": "box"}, "server.url")
    assert caught.value.message == message
    assert hint in (caught.value.hint or "")
