"""Whether the process lives, and whether it takes runs: for whoever starts it, and sends it requests."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gleitzeit.core.errors import GleitzeitError
from gleitzeit.mcp_server.lazy_application import LazyApplication

PATHS = ("/healthz", "/readyz")
"""Where it is told. Whoever asks there has no token, and learns nothing but that."""


def health_routes(application: LazyApplication) -> list[Route]:
    """`/healthz` answers for as long as there is a process; `/readyz` says 503 with a reason where no run is taken."""

    async def healthy(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> Response:
        try:
            (await application.opened()).engine.check_ready()
        except GleitzeitError as error:
            return JSONResponse({"status": "unavailable", "reason": error.code}, 503)
        return JSONResponse({"status": "ok"})

    return [Route("/healthz", healthy, methods=["GET"]), Route("/readyz", ready, methods=["GET"])]
