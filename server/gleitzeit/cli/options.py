"""The options that many commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Use this configuration instead of ~/.gleitzeit/config.yaml.",
    ),
]

InputOption = Annotated[
    list[str] | None,
    typer.Option("-i", "--input", metavar="KEY=VALUE", help="One input of the workflow; may be given again."),
]

InputsFileOption = Annotated[
    Path | None,
    typer.Option("--inputs", metavar="FILE", help="A YAML or JSON file with inputs; -i goes before it."),
]

TimeoutOption = Annotated[float | None, typer.Option(min=0.001, metavar="SECONDS", help="Cancel the run after that.")]

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="The id of a run, as `gleitzeit runs list` shows it.")]
