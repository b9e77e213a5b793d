"""Whatever code sends to the broker, it harms nobody but itself."""

from __future__ import annotations

import os
import sys
import tracemalloc
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.security.broker import Broker, beating, brokered, frame, sent

from gleitzeit.core.errors import LimitError, ProviderError, TimeoutError

KIND = "frames to the broker"

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="the tiers ns and ll need Linux"),
    pytest.mark.timeout(120),
]


@pytest.fixture
async def broker(tier: str, tmp_path: Path) -> AsyncIterator[Broker]:
    async with brokered(tmp_path, tier=tier) as made:
        yield made


async def test_an_answer_is_nothing_that_code_sends(broker: Broker) -> None:
    answers: list[dict[str, Any]] = [{"id": 1, "result": 5}, {"id": 7, "error": {}}, {"exited": 1}, {"spawn": {}}]
    for fields in answers:
        error = await broker.refused(frame(**fields) + "wait()")
        assert "a frame that is no message" in error.message
        assert not error.retryable


async def test_an_id_is_used_once_at_a_time(broker: Broker) -> None:
    never = anyio.Event()

    async def wait(method: str, parameters: Mapping[str, Any]) -> Any:
        await never.wait()

    one = frame(id=5, call="a/b", parameters={"n": 1})
    broker.engine.answer = wait
    assert "two requests with one id" in (await broker.refused(one + one + "wait()")).message
    assert broker.engine.in_flight == 0


async def test_an_id_can_be_used_again_once_it_is_answered(broker: Broker) -> None:
    one = frame(id=5, call="a/b", parameters={})
    assert await broker.run((one + "os.read(3, 4096)\n") * 2 + "result = 1") == {"result": 1}
    assert len(broker.engine.calls) == 3


async def test_a_forged_end_is_the_end_of_that_job_alone(broker: Broker) -> None:
    forged = frame(end={"ok": True, "exit": 0, "value": "mine"})
    calls = len(broker.engine.calls)
    code = forged + frame(id=1, call="a/b", parameters={}) + frame(end={"ok": True, "exit": 0, "value": "again"})
    assert await broker.run(code + "wait()") == {"result": "mine"}
    assert len(broker.engine.calls) == calls
    await broker.works()


async def test_a_forged_end_ends_the_calls_that_are_under_way(broker: Broker) -> None:
    ended = anyio.Event()

    async def wait(method: str, parameters: Mapping[str, Any]) -> Any:
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()

    broker.engine.answer = wait
    code = (
        frame(id=1, call="a/b", parameters={}) + "__import__('time').sleep(0.2)\n" + frame(end={"ok": True, "value": 1})
    )
    assert await broker.run(code + "wait()") == {"result": 1}
    assert ended.is_set()


NO_MESSAGES = (
    b'{"id": 9007199254740992, "call": "a/b", "parameters": {}}',
    b'{"id": 1, "call": "a/b", "parameters": {"x": NaN}}',
    b'{"id": 1, "call": "a/b", "parameters": {"x": ' + b"[" * 5000 + b"]" * 5000 + b"}}",
    b'{"id": 1, "call": "a/b", "parameters": {"x": ' + b"9" * 5000 + b"}}",
    b'{"id": 1, "call": "' + b"a" * 300 + b'", "parameters": {}}',
    b'{"id": 1, "call": "a/\xff", "parameters": {}}',
    b'{"id": 1, "ask": "?", "schema": [1]}',
    b'{"progress": {"done": -Infinity}}',
    b'{"progress": {"done": 1, "message": {}}}',
    b'{"end": {"ok": true, "exit": 4294967296}}',
    b'{"end": {"ok": true, "exit": 0, "value": ' + b"9" * 5000 + b"}}",
    b'{"end": []}',
    b"",
    b"\x00" * 100,
    b'{"a": 1}{"b": 2}',
)


async def test_what_is_no_message_fails_that_job(broker: Broker) -> None:
    for line in NO_MESSAGES:
        error = await broker.refused(sent(line) + "wait()")
        assert isinstance(error, ProviderError)
        assert "the code sent" in error.message


async def test_words_of_the_code_control_no_terminal(broker: Broker) -> None:
    words = "\x1b[2J\x07\r\x9b31m"
    for end in (
        {"ok": False, "exit": 1, "error": {"type": words, "message": words, "traceback": words}},
        {"ok": False, "exit": 1, "broken": words},
    ):
        error = await broker.refused(frame(end=end) + "wait()")
        assert not set(error.message) & set(words) - set("[2J31m")


async def test_half_a_frame_and_then_death_is_a_failure_at_once(broker: Broker) -> None:
    with anyio.fail_after(10):
        error = await broker.refused('send(b\'{"end": {"ok": true, "value"\', b\'\')\nos._exit(0)')
    assert "without an answer" in error.message
    with anyio.fail_after(10):
        assert "the code sent" in (await broker.refused(sent(b"{") + "os._exit(0)")).message


async def test_a_call_and_then_death_leaves_no_call(broker: Broker) -> None:
    error = await broker.refused(frame(id=1, call="a/b", parameters={}) + "os.kill(os.getpid(), 9)")
    assert "without an answer" in error.message or "signal" in error.message
    assert broker.engine.in_flight == 0


async def test_a_frame_of_eight_mebibytes_goes_through_and_one_byte_more_does_not(broker: Broker) -> None:
    size = (8 << 20) - len('{"end":{"ok":true,"value":{"x":""}}}')
    line = 'send(b\'{"end":{"ok":true,"value":{"x":"\' + b\'x\' * %d + b\'"}}}\')\n'
    assert len((await broker.run(line % size, max_memory="256M"))["x"]) == size
    assert "more than 8,388,608 bytes" in (await broker.refused(line % (size + 1) + "wait()")).message


async def test_a_frame_without_an_end_takes_no_memory_of_the_host(broker: Broker) -> None:
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        error = await broker.refused("while True: send(b'x' * 65536, b'')")
        assert tracemalloc.get_traced_memory()[1] - before < 32 << 20
    finally:
        tracemalloc.stop()
    assert "more than 8,388,608 bytes" in error.message


async def test_bytes_are_counted_for_all_messages_together(broker: Broker) -> None:
    code = "while True: send({'id': 1, 'call': 'a/b', 'parameters': {'x': 'x' * (4 << 20)}}); os.read(3, 1 << 23)"
    assert "bytes of messages" in (await broker.refused(code)).message


async def test_a_flood_of_reports_neither_ends_nor_stops_the_loop(broker: Broker) -> None:
    async with beating() as heart:
        line = 'b\'{"progress": {"done": 1}}\\n\' * 2000'
        error = await broker.refused(f"line = {line}\nwhile True: send(line, b'')")
        assert "reports of progress" in error.message
    assert len(broker.engine.reports) <= 10_000
    assert heart.missed < 2.0


async def test_a_flood_of_calls_whose_answers_nobody_reads_ends(broker: Broker) -> None:
    async def large(method: str, parameters: Mapping[str, Any]) -> Any:
        return "x" * (1 << 20)

    broker.engine.answer = large
    async with beating() as heart:
        error = await broker.refused("for n in range(10 ** 6): send({'id': n, 'call': 'a/b', 'parameters': {}})")
        assert "calls, which were refused, and still more" in error.message
    assert broker.engine.most_in_flight <= 32
    assert broker.engine.in_flight == 0
    assert heart.missed < 3.0


async def test_calls_that_nobody_answers_are_few_at_once_and_end_in_time(broker: Broker) -> None:
    async def never(method: str, parameters: Mapping[str, Any]) -> Any:
        await anyio.sleep_forever()

    broker.engine.answer = never
    code = "for n in range(500): send({'id': n, 'call': 'a/b', 'parameters': {}})\nwait()"
    assert isinstance(await broker.refused(code, timeout=1), TimeoutError)
    assert broker.engine.most_in_flight == 32
    assert broker.engine.in_flight == 0


async def test_files_are_forged_within_bounds_only(broker: Broker) -> None:
    wanted = {"artifacts": ["*.txt"]}
    for code, words in (
        ("".join(frame(artifact=f"{n}.txt", data="") for n in range(101)), "more than 100 artifacts"),
        (frame(artifact="a.txt", data="") * 2, "twice"),
        (frame(artifact="a\\..\\b.txt/../../x.txt", data=""), "leads elsewhere"),
        (frame(artifact="a\u202etxt.exe", data=""), "leads elsewhere"),
        (frame(artifact="x" * 2000, data=""), "too long"),
        (
            "while True: send({'artifact': 'a.txt', 'data': 'AAAA' * (1 << 18), 'last': False})",
            "artifacts of more than",
        ),
    ):
        assert words in (await broker.refused(code + "\nwait()", **wanted)).message
    half = frame(artifact="half.txt", data="AAAA", last=False) + frame(end={"ok": True, "value": {}})
    assert (await broker.run(half + "wait()", **wanted))["artifacts"] == []
    assert [path for path in broker.root.rglob("*") if path.is_file()] == []


async def test_a_file_that_no_pattern_names_is_not_kept(broker: Broker) -> None:
    forged = frame(artifact="sitecustomize.py", data="AAAA") + frame(end={"ok": True, "value": {}})
    try:
        kept = (await broker.run(forged + "wait()", artifacts=["*.txt"]))["artifacts"]
    except ProviderError:
        kept = []
    assert kept == []


async def test_a_method_cannot_be_smuggled_past_what_is_allowed(tmp_path: Path, tier: str) -> None:
    async with brokered(tmp_path, tier=tier, calls={"allow": ["a/*"]}) as broker:
        for method in ("b/c", "A/b", " a/b", "\ta/b", "a", "b/a/b"):
            code = frame(id=1, call=method, parameters={}) + "result = json.loads(os.read(3, 4096))['error']['code']"
            assert await broker.run(code) == {"result": "forbidden"}
        assert {method for method, _ in broker.engine.calls} == {"a/b"}


async def test_code_that_may_not_call_cannot_do_so_by_a_frame_of_its_own(broker: Broker) -> None:
    async def refuse(method: str, parameters: Mapping[str, Any]) -> Any:
        raise LimitError("no more")

    broker.engine.answer = refuse
    code = frame(id=1, call="a/b", parameters={}) + "result = json.loads(os.read(3, 4096))['error']['message']"
    assert await broker.run(code) == {"result": "no more"}


async def test_code_that_hangs_up_is_over_when_it_ends(broker: Broker) -> None:
    for how in (0, 1, 2):
        code = f"import socket\nsocket.socket(fileno=os.dup(3)).shutdown({how})\nprint('said', flush=True)\n"
        with anyio.fail_after(10):
            await broker.refused(code + "call_sync('a/b')")
        assert isinstance(await broker.refused(code + "wait()", timeout=0.5), TimeoutError)
        assert broker.task.metadata is not None


async def test_a_folder_of_pythonpath_plants_nothing(broker: Broker) -> None:
    (broker.root / "lib").mkdir()
    for name in ("sitecustomize.py", "usercustomize.py", "json.py", "evil.pth", "asyncio.py"):
        (broker.root / "lib" / name).write_text("import sys; print('ESCAPED')", encoding="utf-8")
    code = "result = [name for name in ('sitecustomize', 'usercustomize') if name in __import__('sys').modules]"
    assert await broker.run(code, env={"PYTHONPATH": "lib"}) == {"result": []}
    assert "ESCAPED" not in broker.task.metadata["stdout"]


async def test_a_worker_has_the_descriptors_of_its_job_and_no_others(broker: Broker) -> None:
    code = """
found = []
for descriptor in range(200):
    try: found.append((descriptor, oct(os.fstat(descriptor).st_mode)[:-4]))
    except OSError: pass
result = found
"""
    opened = [os.open("/dev/null", os.O_RDONLY) for _ in range(40)]
    for descriptor in opened:
        os.set_inheritable(descriptor, True)
    try:
        kinds = (await broker.run(code))["result"]
    finally:
        for descriptor in opened:
            os.close(descriptor)
    assert [descriptor for descriptor, _ in kinds] == [0, 1, 2, 3]
