"""`gleitzeit config`: looks at the configuration, or adds servers and tokens to it."""

from __future__ import annotations

import typer

from gleitzeit.cli.config_check import check
from gleitzeit.cli.config_import import import_servers
from gleitzeit.cli.config_token import token

application = typer.Typer(
    help="Look at the configuration, or add servers and tokens to it.", no_args_is_help=True, rich_markup_mode=None
)
application.command("check")(check)
application.command("import")(import_servers)
application.command("token")(token)


@application.callback()
def options() -> None:
    """Look at the configuration, or add servers and tokens to it."""
