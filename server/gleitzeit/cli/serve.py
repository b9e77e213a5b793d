"""`gleitzeit serve`: MCP over streamable HTTP and SSE on one port."""

from __future__ import annotations

from typing import Annotated

import typer

from gleitzeit.application import open_application
from gleitzeit.cli.chosen_configuration import configured
from gleitzeit.cli.garbage import look_seldom
from gleitzeit.cli.last_resort import end_in_time
from gleitzeit.cli.options import ConfigOption, JsonOption
from gleitzeit.cli.output import print_json, print_result, say

HostOption = Annotated[str | None, typer.Option(help="The address to listen at; one that others reach needs tokens.")]
PortOption = Annotated[int | None, typer.Option(min=0, max=65_535, help="The port to listen at; 0 takes a free one.")]


def serve(
    host: HostOption = None, port: PortOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Serve MCP over HTTP and SSE, on this machine or, with tokens, beyond it."""
    from gleitzeit.mcp_server.address import is_local
    from gleitzeit.mcp_server.http import run_http  # the SDK's servers cost a second that no other command should

    configuration = configured(config)
    chosen = host if host is not None else configuration.server.host

    def announce(address: str) -> None:
        if as_json:
            print_json({"address": address, "streamable_http": f"{address}/mcp", "sse": f"{address}/sse"})
        else:
            print_result(f"{address}/mcp")
        if not is_local(chosen):
            say(
                ("warning", "bold yellow"), ": this is plain HTTP, which others can read: put a proxy with TLS in front"
            )
        say(("serving", "bold green"), f" {address}/mcp (streamable HTTP) and {address}/sse (SSE); Ctrl-C ends it")

    look_seldom()
    code = run_http(
        lambda: open_application(configuration),
        host=chosen,
        port=port if port is not None else configuration.server.port,
        announce=announce,
        ending=end_in_time,
        guarded=bool(configuration.server.tokens),
    )
    raise typer.Exit(code)
