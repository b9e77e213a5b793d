"""A server that starts in a way of its own, which its argument names."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from tests.providers.mcp.servers.raw import RawServer, Refusal, Result


class Noisy(RawServer):
    """Writes what is no message before and after each."""

    def take(self, message: dict[str, Any]) -> None:
        self.write(b"got something\n")
        super().take(message)
        self.write(b'\n{"level": "info"}\n[]\n')


way = sys.argv[1]
server = (Noisy if way == "noisy" else RawServer)("starting")


def refuse(_request: dict[str, Any]) -> Result:
    """Answer with an error of its own."""
    raise Refusal(-32000, "not today")


def ignore(_request: dict[str, Any]) -> Result:
    """Never answer."""
    return None


def leave(_request: dict[str, Any]) -> Result:
    """End in the middle of the start."""
    os.write(2, b"leaving early\n")
    os._exit(4)


def list_and_leave(request: dict[str, Any]) -> Result:
    """End as soon as the start is over, and count the starts in the file of the second argument."""
    with Path(sys.argv[2]).open("ab") as starts:
        starts.write(b".")
    server.answer(request["id"], {"tools": list(server.listed.values())})
    os.write(2, b"out of breath\n")
    os._exit(5)


def main() -> None:
    """Start in one of the ways."""
    match way:
        case "refusing":
            server.methods |= {"server/discover": refuse, "initialize": ignore}
        case "leaving":
            server.methods["tools/list"] = leave
        case "short":
            server.methods["tools/list"] = list_and_leave
        case _:
            server.write(b"Welcome!\n\x1b[31mlistening\x1b[0m on stdio\n")
    server.serve()


if __name__ == "__main__":
    main()
