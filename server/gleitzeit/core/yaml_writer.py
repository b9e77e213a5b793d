"""JSON data -> YAML text that is read as the same data."""

from __future__ import annotations

from typing import Any

import yaml

from gleitzeit.core.yaml_scalars import NUMBER


class _Dumper(yaml.SafeDumper):
    """Quotes what YAML 1.2 reads as a number, too: the library itself only knows those of YAML 1.1."""


_Dumper.add_implicit_resolver(  # pyright: ignore[reportUnknownMemberType]  # its stub has no types
    "tag:yaml.org,2002:float", NUMBER, list("-+.0123456789")
)


def write_yaml(data: Any) -> str:
    """The text of JSON data, in the order of its keys."""
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text
