"""JSON data -> YAML text that is read as the same data."""

from __future__ import annotations

from typing import Any

import yaml

from gleitzeit.core.reading.yaml_scalars import NUMBER


class _Dumper(yaml.SafeDumper):
    """Quotes what YAML 1.2 reads as a number, too: the library itself only knows those of YAML 1.1."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """Text as a scalar; only double quotes keep the line breaks that ASCII does not have."""
        style = '"' if _LINE_BREAKS & set(text) else None
        scalar: yaml.ScalarNode = self.represent_scalar(  # pyright: ignore[reportUnknownMemberType]  # untyped stub
            "tag:yaml.org,2002:str", text, style=style
        )
        return scalar


_LINE_BREAKS = frozenset("\x85\u2028\u2029")
_Dumper.add_representer(str, _Dumper.represent_text)

_Dumper.add_implicit_resolver(  # pyright: ignore[reportUnknownMemberType]  # its stub has no types
    "tag:yaml.org,2002:float", NUMBER, list("-+.0123456789")
)


def write_yaml(data: Any) -> str:
    """The text of JSON data, in the order of its keys."""
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text
