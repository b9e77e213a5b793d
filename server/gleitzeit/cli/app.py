"""All commands of `gleitzeit`, and the one place where an error becomes words and an exit code."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterable
from importlib import import_module
from io import TextIOWrapper
from typing import Annotated

import typer

from gleitzeit.cli import exits
from gleitzeit.cli.chosen_configuration import DEBUG
from gleitzeit.cli.logs import log_to_standard_error
from gleitzeit.cli.mcp import speak_mcp
from gleitzeit.cli.options import ConfigOption
from gleitzeit.cli.output import print_json
from gleitzeit.cli.problems import error_data, say_error, say_traceback
from gleitzeit.core.groups import only_error
from gleitzeit.version import __version__


def mcp(config: ConfigOption = None) -> None:
    """Speak MCP over stdio, as hosts want it."""
    # Stands here for the list of commands; `gleitzeit mcp` itself takes a shorter way.
    raise typer.Exit(speak_mcp([] if config is None else ["--config", str(config)], "gleitzeit mcp"))


# By the names of their homes, for no command should wait until all others are imported.
COMMANDS = {
    "run": "gleitzeit.cli.run:run",
    "call": "gleitzeit.cli.call:call",
    "submit": "gleitzeit.cli.submit:submit",
    "runs": "gleitzeit.cli.runs:application",
    "validate": "gleitzeit.cli.validate:validate",
    "methods": "gleitzeit.cli.methods:methods",
    "servers": "gleitzeit.cli.servers:servers",
    "doctor": "gleitzeit.cli.doctor:doctor",
    "demo": "gleitzeit.cli.demo.command:demo",
    "mcp": "gleitzeit.cli.app:mcp",
    "serve": "gleitzeit.cli.serve:serve",
    "install": "gleitzeit.cli.install:install",
    "schema": "gleitzeit.cli.schema:schema",
    "workflows": "gleitzeit.cli.workflows:application",
    "config": "gleitzeit.cli.config:application",
}


def application_with(names: Iterable[str]) -> typer.Typer:
    """The command `gleitzeit` with these of its commands."""
    application = typer.Typer(
        name="gleitzeit",
        help="Run workflows of tools, models and code: as an MCP server, or right here.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    application.callback()(options)
    for name in names:
        module, _, attribute = COMMANDS[name].partition(":")
        command = getattr(import_module(module), attribute)
        if isinstance(command, typer.Typer):
            application.add_typer(command, name=name)
        else:
            application.command(name)(command)
    return application


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"gleitzeit {__version__}")
        raise typer.Exit


def options(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Run workflows of tools, models and code: as an MCP server, or right here."""


def carry_out(arguments: list[str]) -> int:
    """Carry out a command line and return its exit code; whatever goes wrong is told in words."""
    debugging = bool(os.environ.get(DEBUG))
    log_to_standard_error(debugging)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    named = [name for name in arguments[:1] if name in COMMANDS]
    try:
        application = application_with(named or COMMANDS)
        gc.freeze()  # modules stay to the end, so that nobody has to look for garbage in them
        application(args=arguments, prog_name="gleitzeit")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else exits.OK
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - a traceback is no answer for a person
        return _told(only_error(error), "--json" in arguments, debugging)
    return exits.OK


def _told(error: BaseException, as_json: bool, debugging: bool) -> int:
    if isinstance(error, KeyboardInterrupt):
        return exits.INTERRUPTED
    if debugging:
        say_traceback(error)
    say_error(error)
    if as_json:
        print_json(error_data(error))
    return exits.exit_code_of(error)
