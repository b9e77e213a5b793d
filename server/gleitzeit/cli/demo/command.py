"""`gleitzeit demo`: the main job, from the host's side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import anyio
import typer

from gleitzeit.cli import exits
from gleitzeit.cli.options import JsonOption
from gleitzeit.cli.output import print_json, print_result, say
from gleitzeit.core import errors

TopicOption = Annotated[str, typer.Option(help="What to read about: sea, light, moon, plants, air or play.")]

Show = Callable[[str, Any], None]

_MOST_SECONDS = 60.0


def demo(topic: TopicOption = "sea", as_json: JsonOption = False) -> None:
    """Show the main job at work, as a host sees it."""
    scene = anyio.run(_played, topic, _ignore if as_json else _print_part)
    if as_json:
        print_json(scene)
    completed = scene["run"].get("status") == "completed"
    raise typer.Exit(exits.OK if completed else exits.RUN_FAILED)


async def _played(topic: str, show: Show) -> dict[str, Any]:
    from gleitzeit.cli.demo.stage import play  # the SDK's client costs a second that no other command should

    with anyio.move_on_after(_MOST_SECONDS):
        return await play(topic, show)
    raise errors.TimeoutError(
        f"the demo was not over after {_MOST_SECONDS:g} seconds", hint="standard error says how far it came"
    )


def _ignore(part: str, value: Any) -> None:
    """With `--json`, everything is printed at the end."""


def _print_part(part: str, value: Any) -> None:
    _PRINTERS[part](value)


def _print_server(server: dict[str, Any]) -> None:
    print_result(f"connected to {server['name']} {server['version']} (MCP {server['protocol_version']}) over stdio")
    print_result(f"tools: {', '.join(server['tools'])}\n")


def _print_plan(plan: dict[str, Any]) -> None:
    print_result(f"plan of {plan['name']!r}:")
    for number, wave in enumerate(plan["waves"], start=1):
        for task in wave:
            print_result(f"  {number}. {task['task_id']:<8} {task['method']}")
    print_result("")


def _print_run(run: dict[str, Any]) -> None:
    print_result(f"\nrun {run['run_id']}: {run['status']} in {run['seconds']:.2f} s")
    for task in run["tasks"]:
        print_result(f"  {task['status']:<10} {task['task_id']}")
    if run["status"] == "completed":
        print_result(f"\n{run['outputs']['report']}")


_PRINTERS: dict[str, Callable[[Any], None]] = {
    "server": _print_server,
    "plan": _print_plan,
    "progress": lambda message: say(("  … ", "dim"), str(message)),
    "run": _print_run,
}
