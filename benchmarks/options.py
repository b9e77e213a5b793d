"""What the benchmarks of several sections are asked for on the command line, and how they show what they saw."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from benchmarks.table import Section, as_json, as_text


def parser_of(description: str | None, *, peers: str | None = None) -> argparse.ArgumentParser:
    """Takes `--json`, `--quick` and `--rounds`; also `--no-peers` where `peers` says what that leaves out."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it all runs")
    if peers is not None:
        parser.add_argument("--no-peers", action="store_true", help=peers)
    parser.add_argument("--rounds", type=int, default=0)
    return parser


def show(sections: Sequence[Section], options: argparse.Namespace) -> None:
    """Print them, as JSON where that is asked for."""
    print(as_json(sections) if options.json else as_text(sections))
