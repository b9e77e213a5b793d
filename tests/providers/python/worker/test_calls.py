"""What a job asks of the host, and how the answers find those who wait for them."""

from __future__ import annotations

from typing import Any

from tests.security.raw import Server, a_job


def echo(frame: dict[str, Any]) -> dict[str, Any]:
    return {"result": frame["parameters"]}


def test_a_call_is_awaited(server: Server) -> None:
    ran = server.run("result = await call('mcp/tool.fs.read', path='x', method='y')", answer=echo)
    assert ran.value == {"path": "x", "method": "y"}
    assert ran.frames[0]["call"] == "mcp/tool.fs.read"


def test_a_call_without_await(server: Server) -> None:
    assert server.run("import gleitzeit_sandbox as g\nresult = g.call_sync('a', b=1)", answer=echo).value == {"b": 1}


def test_answers_in_any_order_find_their_calls(server: Server) -> None:
    code = "import asyncio\nresult = await asyncio.gather(*(call('a', n=n) for n in range(50)))"
    worker = server.spawn()
    try:
        worker.send(a_job(code))
        kept: list[dict[str, Any]] = []

        def backwards(frame: dict[str, Any]) -> None:
            kept.append(frame)
            if len(kept) == 50:
                for one in reversed(kept):
                    worker.send({"id": one["id"], "result": one["parameters"]["n"]})

        assert worker.finish(10, backwards).value == list(range(50))
    finally:
        worker.close()


def test_threads_and_loops_call_at_once(server: Server) -> None:
    code = """
import asyncio, threading
from concurrent.futures import ThreadPoolExecutor
def in_thread(n): return call_sync("a", n=n)["n"]
def in_loop(n):
    async def several(): return [value["n"] for value in await asyncio.gather(*(call("a", n=n) for _ in range(5)))]
    return asyncio.run(several())
with ThreadPoolExecutor(12) as pool:
    one = [pool.submit(in_thread, n) for n in range(100)]
    two = [pool.submit(in_loop, n) for n in range(20)]
    three = [value["n"] for value in await asyncio.gather(*(call("a", n=n) for n in range(50)))]
result = [[f.result() for f in one], [f.result() for f in two], three]
"""
    one, two, three = server.run(code, answer=echo).value
    assert one == list(range(100))
    assert two == [[n] * 5 for n in range(20)]
    assert three == list(range(50))


def test_a_call_that_is_given_up_does_not_disturb_others(server: Server) -> None:
    code = """
import asyncio
slow = asyncio.create_task(call("slow"))
await asyncio.sleep(0)
slow.cancel()
result = await call("quick")
"""
    kept: list[int] = []

    def late(frame: dict[str, Any]) -> dict[str, Any] | None:
        kept.append(frame["id"])
        return {"result": "quick"} if frame["call"] == "quick" else None

    assert server.run(code, answer=late).value == "quick"
    assert len(kept) == 2


def test_a_large_answer_comes_whole(server: Server) -> None:
    ran = server.run("result = len(await call('a'))", answer=lambda _: {"result": "x" * (4 << 20)})
    assert ran.value == 4 << 20


def test_a_refusal_is_an_exception_with_what_to_do(server: Server) -> None:
    code = """
from gleitzeit_sandbox import CallError
try: await call("a")
except CallError as error: result = [str(error), error.code, error.hint, error.retryable]
"""
    error = {"code": "forbidden", "message": "a is not allowed", "hint": "list it", "retryable": True}
    assert server.run(code, answer=lambda _: {"error": error}).value == [
        "a is not allowed",
        "forbidden",
        "list it",
        True,
    ]


def test_a_job_that_calls_nothing_is_refused_by_itself(server: Server) -> None:
    ran = server.run("await call('a')", interactive=False)
    assert ran.error["type"] == "CallError"
    assert ran.frames == []


def test_parameters_that_are_no_json_fail_the_call_alone(server: Server) -> None:
    code = "try: await call('a', x={1})\nexcept TypeError: pass\nresult = await call('a', x=1)"
    assert server.run(code, answer=echo).value == {"x": 1}


def test_progress_is_told_and_can_be_awaited(server: Server) -> None:
    ran = server.run("progress(1, 2, 'half')\nawait progress(2)")
    assert [frame["progress"] for frame in ran.frames] == [
        {"done": 1, "total": 2, "message": "half"},
        {"done": 2, "total": None, "message": None},
    ]


def test_a_person_is_asked(server: Server) -> None:
    ran = server.run("result = await ask('Really?', {'type': 'boolean'})", answer=lambda _: {"result": True})
    assert ran.value is True
    assert {key: ran.frames[0][key] for key in ("ask", "schema")} == {"ask": "Really?", "schema": {"type": "boolean"}}


def test_a_host_that_goes_ends_the_job(server: Server) -> None:
    worker = server.spawn()
    try:
        worker.send(a_job("call_sync('a')"))
        worker.frames.recv(1)
        worker.frames.close()
        assert worker.gone()
    finally:
        worker.close()
