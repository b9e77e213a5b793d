"""`gleitzeit config`: looks at the configuration, or takes servers over into it."""

from __future__ import annotations

import typer

from gleitzeit.cli.config_check import check
from gleitzeit.cli.config_import import import_servers

application = typer.Typer(
    help="Look at the configuration, or take servers over into it.", no_args_is_help=True, rich_markup_mode=None
)
application.command("check")(check)
application.command("import")(import_servers)


@application.callback()
def options() -> None:
    """Look at the configuration, or take servers over into it."""
