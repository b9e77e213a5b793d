"""The section `providers.python`."""

from __future__ import annotations

from typing import Any

import pytest

from gleitzeit.core.errors import ConfigurationError
from gleitzeit_python import PythonProvider


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"sandbox": False, "tier": "ns"}, "remove one of them"),
        ({"sandbox": True, "tier": "none"}, "write sandbox: false"),
        ({"sandbox": False, "min_tier": "ll"}, "never reaches min_tier"),
        ({"tier": "ll", "min_tier": "ns"}, "tier: ll is weaker than min_tier: ns"),
        ({"max_memory": "huge"}, "must be a size such as 256M"),
        ({"max_memory": 5}, "must be between 16M and 1024G"),
        ({"timeout": 0}, "providers.python.timeout"),
        ({"workers": 0}, "providers.python.workers"),
        ({"allowed_modules": ["a b"]}, "providers.python.allowed_modules"),
        ({"tierr": "ns"}, 'did you mean "tier"'),
        ({"calls": {"max_call": 1}}, 'did you mean "max_calls"'),
    ],
)
def test_what_does_not_fit_is_told(section: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        PythonProvider("python", section)
    assert words in f"{caught.value.message} {caught.value.hint}"


def test_where_code_runs() -> None:
    chosen = {
        "auto": PythonProvider("python", {"sandbox": True}),
        "none": PythonProvider("python", {"tier": "none"}),
        "ll": PythonProvider("python", {"tier": "ll"}),
    }
    assert {name: provider.settings.chosen for name, provider in chosen.items()} == {name: name for name in chosen}
    assert PythonProvider("python", {"sandbox": False}).settings.chosen == "none"
