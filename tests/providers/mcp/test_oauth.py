"""Logging in by OAuth: an authorization server of ours, the real flow, and a browser that is one GET."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import logging
import runpy
import secrets
import stat
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import anyio
import httpx2
import pytest
from mcp.client.auth import OAuthFlowError
from mcp.client.auth.oauth2 import OAuthContext
from mcp.shared.auth import OAuthClientMetadata
from tests.providers.mcp.sending import sent

from gleitzeit.core.errors import ConfigurationError, GleitzeitError, ProviderError, ProviderUnavailableError
from gleitzeit.core.errors import TimeoutError as GleitzeitTimeoutError
from gleitzeit_mcp.config import OAuth, Server
from gleitzeit_mcp.credentials.discovery import Discovery
from gleitzeit_mcp.credentials.login import log_in
from gleitzeit_mcp.credentials.loopback import listening
from gleitzeit_mcp.credentials.storage import GrantStorage
from gleitzeit_mcp.credentials.tokens import Grant, TokenFile, oauth_folder
from gleitzeit_mcp.environment import fill_server
from gleitzeit_mcp.servers.far import far_transport

pytestmark = pytest.mark.anyio

FAULTS = runpy.run_path(str(Path(__file__).with_name("test_http_faults.py")))
serving: Callable[[Callable[[Any], Awaitable[object]]], AbstractAsyncContextManager[Any]] = FAULTS["serving"]
Recorder: Any = FAULTS["Recorder"]

CALL: dict[str, Any] = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {}}


class Guarded:
    """An MCP server and its authorization server in one: it checks what an OAuth client has to get right."""

    def __init__(self) -> None:
        self.base = ""
        self.good: set[str] = set()
        self.refresh: set[str] = set()
        self.asked: list[str] = []
        self.registered: dict[str, list[str]] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.lifetime = 3600
        self.token_status = "200 OK"
        self.held: anyio.Event | None = None
        self.metadata = ""
        self.resource: Callable[[Any], Awaitable[None]] | None = None
        self.page = 0

    async def __call__(self, request: Any) -> None:
        path: str = urlsplit(str(request.target)).path
        self.asked.append(path)
        if path == "/mcp":
            await self.serve(request)
        elif path.startswith("/.well-known/oauth-protected-resource") and self.resource is not None:
            await self.resource(request)
        elif path.startswith("/.well-known/oauth-protected-resource"):
            await request.reply_json({"resource": self.base + "/mcp", "authorization_servers": [self.base]})
        elif path.startswith("/.well-known/oauth-authorization-server"):
            await request.reply_json(
                {
                    "issuer": self.base,
                    "authorization_endpoint": self.base + "/authorize",
                    "token_endpoint": self.base + "/give",
                    "registration_endpoint": self.base + "/register",
                    "response_types_supported": ["code"],
                    "code_challenge_methods_supported": ["S256"],
                }
            )
        else:
            await request.reply("404 Not Found")

    async def serve(self, request: Any) -> None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.good:
            metadata = self.metadata or f"{self.base}/.well-known/oauth-protected-resource/mcp"
            challenge = {"WWW-Authenticate": f'Bearer resource_metadata="{metadata}"'}
            await request.reply("401 Unauthorized", b" " * self.page, challenge)
            return
        if self.held is not None and request.message["id"] == 7:
            await self.held.wait()
        await request.reply_json({"jsonrpc": "2.0", "id": request.message["id"], "result": {}})

    async def register(self, request: Any) -> None:
        client = "client-" + secrets.token_hex(4)
        self.registered[client] = request.form["redirect_uris"]
        await request.reply_json({**request.form, "client_id": client}, "201 Created")

    def authorize(self, url: str) -> str:
        """What the page of the authorization server does when the person says yes: where the browser goes next."""
        asked = {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}
        assert asked["code_challenge_method"] == "S256"
        assert asked["redirect_uri"] in self.registered.get(asked["client_id"], [asked["redirect_uri"]])
        code = secrets.token_hex(8)
        self.codes[code] = asked
        return asked["redirect_uri"] + "?" + urlencode({"code": code, "state": asked["state"]})

    async def give(self, request: Any) -> None:
        form = request.form
        if self.token_status != "200 OK" or not self._entitled(form, request.headers.get("authorization", "")):
            status = "400 Bad Request" if self.token_status == "200 OK" else self.token_status
            await request.reply_json({"error": "invalid_grant"}, status)
            return
        access, refresh = "access-" + secrets.token_hex(8), "refresh-" + secrets.token_hex(8)
        self.good.add(access)
        answer = {"access_token": access, "token_type": "Bearer", "expires_in": self.lifetime}
        if form["grant_type"] != "client_credentials":
            self.refresh.add(refresh)
            answer["refresh_token"] = refresh
        await request.reply_json(answer)

    def _entitled(self, form: dict[str, str], authorization: str) -> bool:
        if form["grant_type"] == "client_credentials":
            return base64.b64decode(authorization.removeprefix("Basic ")) == b"machine:s3cret-of-it"
        if form["grant_type"] == "refresh_token":
            known = form["refresh_token"] in self.refresh
            self.refresh.discard(form["refresh_token"])  # it is good for one use
            return known
        asked = self.codes.pop(form["code"], None)
        digest = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
        return asked is not None and asked["code_challenge"] == digest and asked["redirect_uri"] == form["redirect_uri"]


@asynccontextmanager
async def guarded() -> AsyncGenerator[Guarded]:
    """The server, on loopback."""
    server = Guarded()

    async def handler(request: Any) -> None:
        path: str = urlsplit(str(request.target)).path
        if path in ("/register", "/give"):
            server.asked.append(path)
            request.form = request.message
            await (server.register if path == "/register" else server.give)(request)
        else:
            await server(request)

    with anyio.fail_after(20):
        async with serving(handler) as far:
            server.base = far.url.removesuffix("/mcp")
            yield server


def settings(server: Guarded, **oauth: Any) -> Server:
    return Server.model_validate({"name": "far", "url": server.base + "/mcp", "oauth": oauth or True})


def context_of(url: str) -> OAuthContext:
    """A login that has not begun yet."""
    storage = GrantStorage(TokenFile("far", url), OAuth())
    return OAuthContext(url, OAuthClientMetadata(redirect_uris=None), storage, None, None)


def browser(server: Guarded) -> Callable[[str], Awaitable[None]]:
    """Whoever opens the page, says yes and is sent back."""

    async def opened(url: str) -> None:
        async with httpx2.AsyncClient() as client:
            page = await client.get(server.authorize(url))
        assert page.status_code == 200

    return opened


async def call(configured: Server) -> dict[str, Any]:
    """The answer to one call on a connection of its own."""
    recorder = Recorder()
    async with far_transport(fill_server(configured, {})).connect(recorder) as wire:
        await sent(wire.send(CALL))
        await recorder.settled()
    answer: dict[str, Any] = await recorder.answer()
    return answer


def stored() -> dict[str, Any]:
    data: dict[str, Any] = json.loads((oauth_folder() / "far.json").read_text())
    return data


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GLEITZEIT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


async def test_without_a_login_nothing_is_sent_and_the_way_out_is_named() -> None:
    async with guarded() as server:
        with pytest.raises(ProviderUnavailableError) as failure:
            await call(settings(server))
    assert server.asked == []
    assert (failure.value.retryable, failure.value.ambiguous) == (False, False)
    assert failure.value.hint is not None
    assert "gleitzeit servers login far" in failure.value.hint


async def test_a_login_brings_a_token_that_only_its_owner_can_read() -> None:
    async with guarded() as server:
        await log_in(settings(server), browser(server))
        assert (await call(settings(server)))["result"] == {}
    file = oauth_folder() / "far.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert sorted(path.name for path in file.parent.iterdir()) == ["far.json"]


async def test_a_token_that_has_expired_is_refreshed_after_a_start_where_its_server_gives_them() -> None:
    async with guarded() as server:
        server.lifetime = -10
        await log_in(settings(server), browser(server))
        before = stored()["tokens"]["access_token"]
        server.good.clear()
        server.lifetime = 3600
        server.asked.clear()
        await call(settings(server))
    assert server.asked == ["/give", "/mcp"]
    assert stored()["tokens"]["access_token"] != before
    assert stored()["expires_at"] > time.time() + 3000


async def test_a_token_that_is_refused_before_its_time_is_refreshed_once() -> None:
    async with guarded() as server:
        await log_in(settings(server), browser(server))
        server.good.clear()
        server.asked.clear()
        await call(settings(server))
    assert server.asked == ["/mcp", "/give", "/mcp"]


async def test_many_calls_with_an_expired_token_refresh_it_once() -> None:
    async with guarded() as server:
        await log_in(settings(server), browser(server))
        server.good.clear()
        server.asked.clear()
        recorder = Recorder()
        async with far_transport(settings(server)).connect(recorder) as wire:
            for number in range(10, 30):
                await sent(wire.send({**CALL, "id": number}))
            for number in range(10, 30):
                await recorder.answer(number)
    assert server.asked.count("/give") == 1


async def test_two_processes_share_one_refresh() -> None:
    async with guarded() as server:
        await log_in(settings(server), browser(server))
        server.good.clear()
        server.asked.clear()
        async with anyio.create_task_group() as tasks:  # each connection knows the file alone, as a process would
            for _ in range(5):
                tasks.start_soon(call, settings(server))
    assert server.asked.count("/give") == 1


async def test_a_long_call_with_a_token_does_not_hold_up_others() -> None:
    async with guarded() as server:
        await log_in(settings(server), browser(server))
        server.held = anyio.Event()
        recorder = Recorder()
        async with far_transport(settings(server)).connect(recorder) as wire:
            await sent(wire.send(CALL))
            await sent(wire.send({**CALL, "id": 8}))
            await recorder.answer(8)
            server.held.set()
            await recorder.answer(7)


async def test_a_login_that_was_taken_back_asks_for_a_new_one_without_registering_again() -> None:
    async with guarded() as server:
        await log_in(settings(server), browser(server))
        server.good.clear()
        server.refresh.clear()
        server.asked.clear()
        with pytest.raises(ProviderUnavailableError) as failure:
            await call(settings(server))
    assert "login" in failure.value.message
    assert not {"/register", "/authorize"} & set(server.asked)


async def test_a_token_server_that_is_down_for_a_while_costs_no_login() -> None:
    async with guarded() as server:
        await log_in(settings(server), browser(server))
        server.good.clear()
        server.token_status = "503 Later"
        with pytest.raises(ProviderUnavailableError) as failure:
            await call(settings(server))
        server.token_status = "200 OK"
        await call(settings(server))
    assert failure.value.retryable
    assert "503" in failure.value.message


async def test_a_token_is_never_sent_to_another_url() -> None:
    async with guarded() as server, guarded() as other:
        await log_in(settings(server), browser(server))
        with pytest.raises(ProviderUnavailableError):
            await call(settings(other))
    assert other.asked == []


@pytest.mark.parametrize("name", ["far.json", "."])
async def test_a_file_that_others_can_read_is_not_used(name: str) -> None:
    async with guarded() as server:
        await log_in(settings(server), browser(server))
        (oauth_folder() / name).chmod(0o755)
        server.asked.clear()
        with pytest.raises(ConfigurationError) as failure:
            await call(settings(server))
    assert server.asked == []
    assert "others can reach" in failure.value.message
    assert failure.value.hint is not None
    assert failure.value.hint.startswith("chmod ")


async def test_a_file_that_is_broken_is_not_used() -> None:
    async with guarded() as server:
        await log_in(settings(server), browser(server))
        (oauth_folder() / "far.json").write_text("{")
        with pytest.raises(ConfigurationError) as failure:
            await call(settings(server))
    assert "far.json" in failure.value.message


async def test_a_name_with_a_path_in_it_stays_in_the_folder() -> None:
    assert TokenFile("../../etc/x y", "http://x").path.parent == oauth_folder()


async def test_the_credentials_of_a_machine_need_no_person() -> None:
    async with guarded() as server:
        configured = settings(
            server,
            grant="client_credentials",
            client_id="machine",
            client_secret="${SECRET}",
            issuer=server.base,
        )
        filled = fill_server(configured, {"SECRET": "s3cret-of-it"})
        await call(filled)
        await call(filled)
        assert server.asked.count("/give") == 1
        server.good.clear()
        await call(filled)
        assert server.asked.count("/give") == 2
    assert "s3cret" not in repr(filled)


async def test_the_secret_of_a_machine_goes_to_its_own_issuer_alone() -> None:
    async with guarded() as server:
        configured = settings(
            server,
            grant="client_credentials",
            client_id="machine",
            client_secret="s3cret-of-it",
            issuer="https://login.example.org",
        )
        with pytest.raises(GleitzeitError) as failure:
            await call(configured)
    assert "/give" not in server.asked
    assert "s3cret" not in failure.value.message


async def test_the_secret_of_a_client_is_not_sent_where_nothing_is_known_of_its_issuer() -> None:
    async with guarded() as server, serving(lambda request: request.reply("404 Not Found")) as issuer:

        async def elsewhere(request: Any) -> None:
            await request.reply_json({"resource": server.base + "/mcp", "authorization_servers": [issuer.url]})

        server.resource = elsewhere
        oauth = {"client_id": "mine", "client_secret": "s3cret-of-it", "issuer": issuer.url}
        with pytest.raises(GleitzeitError, match="nothing was found out about the configured issuer"):
            await log_in(settings(server, **oauth), browser(server), limit=5)
    assert not {"/give", "/token"} & set(server.asked)


async def test_an_issuer_that_a_variable_makes_unfit_is_refused() -> None:
    server = Server.model_validate({"name": "far", "url": "http://127.0.0.1:1/mcp", "oauth": {"issuer": "${ISSUER}"}})
    with pytest.raises(ConfigurationError, match="https"):
        far_transport(fill_server(server, {"ISSUER": "http://login.example.org"}))


async def test_what_is_said_of_the_server_on_another_host_is_not_asked_for() -> None:
    strange: list[Any] = []

    async def internal(request: Any) -> None:
        strange.append(request)

    async with serving(internal) as other, guarded() as server:
        server.metadata = f"{other.url}/latest/meta-data"
        await log_in(settings(server), browser(server))
        await call(settings(server))
    assert strange == []


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:8080/x",
        "http://localhost/x",
        "http://[::1]/x",
        "http://[::ffff:127.0.0.1]/x",
        "http://[fe80::1]/x",
        "http://0.0.0.0/x",
    ],
)
async def test_a_server_far_away_leads_no_login_into_this_machine_or_its_network(url: str) -> None:
    request = httpx2.Request("GET", url)
    context = context_of("http://127.0.0.1/mcp")
    with pytest.raises(OAuthFlowError, match="this machine"):
        await Discovery("https://192.0.2.1/mcp", OAuth()).check(request, context)
    await Discovery("http://127.0.0.1/mcp", OAuth()).check(request, context)
    await Discovery("https://192.0.2.1/mcp", OAuth(issuer=f"https://{request.url.netloc.decode()}")).check(
        request, context
    )
    await Discovery("https://192.0.2.1/mcp", OAuth()).check(httpx2.Request("GET", "https://192.0.2.2/x"), context)


@pytest.mark.parametrize("compressed", [False, True])
async def test_what_a_login_is_told_is_read_up_to_a_limit(compressed: bool) -> None:
    body = b" " * 3_000_000
    content, encoding = (gzip.compress(body), {"Content-Encoding": "gzip"}) if compressed else (body, {})

    async def endless(request: Any) -> None:
        await request.reply("200 OK", content, {"Content-Type": "application/json", **encoding})

    async with guarded() as server:
        server.resource = endless
        with pytest.raises(ProviderUnavailableError, match="more than 1 MiB"):
            await log_in(settings(server), browser(server))


async def test_the_page_that_asks_for_a_token_is_not_read_to_its_end() -> None:
    async with guarded() as server:
        server.page = 100_000_000
        await log_in(settings(server), browser(server))


async def test_a_secret_in_the_address_shows_in_no_error_of_a_login(monkeypatch: pytest.MonkeyPatch) -> None:
    async def tell(request: Any) -> None:
        await request.reply("400 Bad Request", "not at geheim")

    monkeypatch.setenv("PLACE", "geheim")
    async with guarded() as server:
        server.register = tell  # type: ignore[method-assign]
        there = {"name": "far", "url": server.base + "/mcp?${PLACE}", "oauth": True}
        with pytest.raises(GleitzeitError) as failure:
            await log_in(Server.model_validate(there), browser(server))
    assert "not at ***" in failure.value.message


async def test_a_request_that_is_none_does_not_end_a_login() -> None:
    async with listening() as loopback, httpx2.AsyncClient() as client:
        port = urlsplit(loopback.redirect_uri).port
        async with await anyio.connect_tcp("127.0.0.1", port or 0) as stream:
            await stream.send(b"GET //[ HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b" 404 " in await stream.receive()
        assert (await client.get(loopback.redirect_uri)).status_code == 400


@pytest.mark.parametrize("name", ["工" * 64, "工" * 63 + "匠"])
async def test_a_long_name_in_letters_of_any_kind_has_a_file_of_its_own(name: str) -> None:
    file = TokenFile(name, "https://x")
    assert len(file.path.name) < 100
    assert file.path != TokenFile("工" * 62 + "匠匠", "https://x").path
    async with file.locked():
        file.write(Grant(url="https://x", expires_at=7.0))
    assert file.read().expires_at == 7.0


async def test_a_client_and_scopes_of_the_settings_are_used_as_they_are() -> None:
    shown: list[dict[str, list[str]]] = []
    async with guarded() as server:

        async def opened(url: str) -> None:
            shown.append(parse_qs(urlsplit(url).query))
            await browser(server)(url)

        await log_in(settings(server, client_id="mine", scopes=["read", "write"]), opened)
        await call(settings(server, client_id="mine", scopes=["read", "write"]))
    assert "/register" not in server.asked
    assert (shown[0]["client_id"], shown[0]["scope"]) == (["mine"], ["read write"])


async def test_only_the_answer_with_the_right_state_on_the_right_path_counts() -> None:
    statuses: list[int] = []
    async with guarded() as server:

        async def attacked(url: str) -> None:
            back = server.authorize(url)
            page, _, query = back.partition("?")
            code = parse_qs(query)["code"][0]
            async with httpx2.AsyncClient() as client:
                statuses.append((await client.get(f"{page}?code={code}&state=guess")).status_code)
                statuses.append((await client.get(f"{page}?code={code}")).status_code)
                statuses.append((await client.get(back.replace("/callback", "/x"))).status_code)
                statuses.append((await client.post(back)).status_code)
                statuses.append((await client.get(back, headers={"Host": "evil.example.org"})).status_code)
                statuses.append((await client.get(back)).status_code)

        await log_in(settings(server), attacked)
    assert statuses == [400, 400, 404, 405, 404, 200]


async def test_a_login_that_the_person_refuses_fails_with_the_words_of_the_server() -> None:
    async with guarded() as server:

        async def refused(url: str) -> None:
            asked = parse_qs(urlsplit(url).query)
            answer = urlencode({"error": "access_denied", "error_description": "not\nyou", "state": asked["state"][0]})
            async with httpx2.AsyncClient() as client:
                await client.get(asked["redirect_uri"][0] + "?" + answer)

        with pytest.raises(ProviderError) as failure:
            await log_in(settings(server), refused)
    assert "not you" in failure.value.message
    assert not (oauth_folder() / "far.json").exists()


async def test_a_login_that_nobody_makes_ends() -> None:
    async def ignored(url: str) -> None:
        assert url

    async with guarded() as server:
        with pytest.raises(GleitzeitTimeoutError):
            await log_in(settings(server), ignored, limit=0.3)


async def test_a_server_without_oauth_needs_no_login() -> None:
    async def unused(url: str) -> None:
        raise AssertionError(url)

    with pytest.raises(ConfigurationError):
        await log_in(Server.model_validate({"name": "far", "url": "http://127.0.0.1:1/mcp"}), unused)


async def test_tokens_show_in_no_log_and_no_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with guarded() as server:
        await log_in(settings(server), browser(server))
        tokens = stored()["tokens"]

        async def tell(request: Any) -> None:
            await request.reply("403 Forbidden", f"no {request.headers['authorization']}")

        server.serve = tell  # type: ignore[method-assign]
        with pytest.raises(GleitzeitError) as failure:
            await call(settings(server))
    assert "no Bearer" in failure.value.message
    for secret in (tokens["access_token"], tokens["refresh_token"]):
        assert secret not in caplog.text
        assert secret not in failure.value.message


@pytest.mark.parametrize(
    ("oauth", "words"),
    [
        ({"client_secret": "x"}, "client_id"),
        ({"grant": "client_credentials", "client_id": "x"}, "client_secret"),
        ({"client_id": "x", "client_secret": "x"}, "issuer that it belongs to"),
        ({"grant": "client_credentials", "client_id": "x", "client_secret": "x"}, "issuer that it belongs to"),
        ({"issuer": "http://login.example.org"}, "https"),
        ({"issuer": "login.example.org"}, "https"),
        ({"issuer": "https://["}, "IPv6"),
        ({"grant": "password"}, "grant"),
        ({"redirect_port": 70000}, "redirect_port"),
    ],
)
def test_settings_that_cannot_work_are_refused(oauth: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Server.model_validate({"name": "far", "url": "http://x", "oauth": oauth})


def test_oauth_and_a_token_at_once_are_refused() -> None:
    with pytest.raises(ValueError, match="leave out auth_token"):
        Server.model_validate({"name": "far", "url": "http://x", "oauth": True, "auth_token": "x"})


def test_oauth_can_be_switched_off() -> None:
    assert Server.model_validate({"name": "far", "url": "http://x", "oauth": False}).oauth is None
