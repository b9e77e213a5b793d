"""What a job finds, and what is told of its end."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys

import pytest
from tests.security.raw import PROGRAM, Server, a_job


def test_the_variable_result_is_the_value(server: Server) -> None:
    ran = server.run("result = {'sum': sum(args), 'deep': [1, None, 2.5, 'ü']}", args=[1, 2, 3])
    assert ran.value == {"sum": 6, "deep": [1, None, 2.5, "ü"]}


def test_code_without_a_result_has_no_value(server: Server) -> None:
    assert server.run("x = 1").end == {"ok": True, "exit": 0}


def test_a_script_has_no_value_but_what_it_prints(server: Server) -> None:
    ran = server.run("import sys\nprint(sys.argv)\nresult = 1", mode="script", filename="gen.py", args={"n": 1})
    assert ran.end == {"ok": True, "exit": 0}
    assert ran.text == "['gen.py', '{\"n\": 1}']\n"


def test_a_script_is_main(server: Server) -> None:
    code = "import __main__\nclass A: pass\nprint(__name__, __main__.A is A, __file__)"
    assert server.run(code, mode="script", filename="gen.py").text == "__main__ True gen.py\n"


def test_classes_of_a_job_can_be_pickled(server: Server) -> None:
    ran = server.run("import pickle\nclass A: pass\nresult = type(pickle.loads(pickle.dumps(A()))).__name__")
    assert ran.value == "A"


def test_await_stands_outside_of_functions_in_inline_code(server: Server) -> None:
    assert server.run("import asyncio\nresult = await asyncio.sleep(0, 5)").value == 5


def test_await_does_not_stand_outside_of_functions_in_a_script(server: Server) -> None:
    ran = server.run("import asyncio\nawait asyncio.sleep(0)", mode="script")
    assert ran.error["type"] == "SyntaxError"


def test_the_environment_is_that_of_the_job(server: Server) -> None:
    ran = server.run("import os\nresult = dict(os.environ)", env={"COLOUR": "blue"})
    assert ran.value["COLOUR"] == "blue"
    assert set(ran.value) == {"COLOUR", "HOME", "LANG", "PATH", "TMPDIR"}


@pytest.mark.parametrize(
    ("code", "exit_code", "ok"),
    [
        ("import sys; sys.exit()", 0, True),
        ("import sys; sys.exit(0)", 0, True),
        ("raise SystemExit(None)", 0, True),
        ("import sys; sys.exit(3)", 3, False),
        ("import sys; sys.exit(256 + 7)", 7, False),
        ("import sys; sys.exit('no such file')", 1, False),
        ("1 / 0", 1, False),
    ],
)
def test_exit_codes_are_those_of_python(server: Server, code: str, exit_code: int, ok: bool) -> None:
    ran = server.run(code)
    assert ran.end is not None
    assert (ran.end["exit"], ran.end["ok"]) == (exit_code, ok)
    assert ran.notice is not None
    assert ran.notice["code"] == exit_code


def test_the_message_of_an_exit_is_told_and_written(server: Server) -> None:
    ran = server.run("import sys; sys.exit('no such file')")
    assert ran.error["message"] == "no such file"
    assert ran.stderr == b"no such file\n"


def test_a_result_of_code_that_exits_well_is_kept(server: Server) -> None:
    assert server.run("result = 5\nraise SystemExit").value == 5


def test_what_ends_without_a_word_is_told_by_the_zygote(server: Server) -> None:
    ran = server.run("import os; os.write(1, b'before'); os._exit(77)")
    assert ran.end is None
    assert ran.notice is not None
    assert (ran.stdout, ran.notice["code"], ran.notice["signal"]) == (b"before", 77, None)


@pytest.mark.parametrize("code", ["import os; os.abort()", "import os; os.kill(os.getpid(), 9)"])
def test_what_kills_itself_is_told_by_the_zygote(server: Server, code: str) -> None:
    ran = server.run(code + "\nwhile True: pass")
    assert not ran.timed_out
    assert ran.end is None
    assert ran.notice is not None
    assert ran.notice["signal"] in (5, 6, 9, 11, 31)


def test_signals_that_have_handlers_arrive(server: Server) -> None:
    code = """
import signal
heard = []
for number in (signal.SIGUSR1, signal.SIGALRM, signal.SIGTERM): signal.signal(number, lambda *at: heard.append(at[0]))
signal.raise_signal(signal.SIGUSR1)
import os; os.kill(os.getpid(), signal.SIGTERM)
signal.setitimer(signal.ITIMER_REAL, 0.01)
while len(heard) < 3: signal.pause()
result = sorted(heard) == sorted((signal.SIGUSR1, signal.SIGALRM, signal.SIGTERM))
"""
    assert server.run(code).value is True


def test_signals_and_streams_are_as_programs_find_them(server: Server) -> None:
    signals = "import signal\nresult = [int(signal.getsignal(number)) for number in args]"
    args = [int(number) for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ)]
    assert server.run(signals, args=args).value == [0, 1, 1]
    streams = "import sys\nresult = [[a.encoding, a.errors, a.seekable()] for a in (sys.stdout, sys.stderr)]"
    assert server.run(streams).value == [["utf-8", "backslashreplace", False]] * 2


def test_a_job_without_protection_is_run_the_same_way() -> None:
    one, other = socket.socketpair()
    command = [sys.executable, "-I", "-S", str(PROGRAM), "plain", str(other.fileno())]
    with one, subprocess.Popen(command, pass_fds=[other.fileno()], stdout=subprocess.PIPE) as process:
        other.close()
        one.sendall(json.dumps(a_job("print('x')\nresult = args", args=[1])).encode() + b"\n")
        assert json.loads(one.makefile().readline()) == {"end": {"ok": True, "exit": 0, "value": [1]}}
        assert process.stdout is not None
        assert process.stdout.read() == b"x\n"


def test_threads_and_exit_handlers_end_before_the_job(server: Server) -> None:
    code = """
import atexit, threading, time
from concurrent.futures import ThreadPoolExecutor
pool = ThreadPoolExecutor(2)
pool.submit(lambda: (time.sleep(0.05), print("pool")))
threading.Thread(target=lambda: (time.sleep(0.1), print("thread"))).start()
atexit.register(print, "exit")
"""
    assert server.run(code).text == "pool\nthread\nexit\n"


def test_output_is_there_although_the_job_was_killed(server: Server) -> None:
    ran = server.run("print('step 1')\nwhile True: pass", timeout=0.5)
    assert ran.timed_out
    assert ran.text == "step 1\n"


def test_output_that_is_no_text_and_text_that_is_no_utf8_get_out(server: Server) -> None:
    ran = server.run("import os\nprint('\\ud800', flush=True)\nos.write(1, bytes(range(256)))")
    assert ran.stdout == b"\\ud800\n" + bytes(range(256))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("float('nan')", "JSON compliant"),
        ("{1, 2}", "set is not JSON serializable"),
        ("10 ** 5000", "integer string conversion"),
        ("(lambda x: x.append(x) or x)([])", "Circular reference"),
        ("'x' * (9 << 20)", "can be sent"),
    ],
)
def test_a_value_that_json_does_not_hold_is_a_clear_error(server: Server, value: str, words: str) -> None:
    ran = server.run(f"result = {value}")
    assert ran.error["type"] == "ResultError"
    assert words in ran.error["message"]


def test_a_deep_value_is_a_clear_error(server: Server) -> None:
    ran = server.run("result = []\nfor _ in range(100_000): result = [result]")
    assert ran.error["type"] == "ResultError"


def test_compiled_code_can_be_had_and_run(server: Server) -> None:
    code = "result = [args, 1 + 1]"
    compiled = server.run(code, mode="compile").value
    assert server.run(code, compiled=compiled, args=5).value == [5, 2]


def test_a_job_that_is_no_json_ends_the_worker(server: Server) -> None:
    worker = server.spawn()
    try:
        worker.frames.sendall(b"{nonsense\n")
        assert worker.gone()
        assert server.exited(worker)["code"] == 70
    finally:
        worker.close()


def test_a_job_that_never_comes_leaves_no_worker(server: Server) -> None:
    worker = server.spawn()
    try:
        worker.frames.shutdown(2)
        assert worker.gone()
        assert server.exited(worker)["code"] == 0
    finally:
        worker.close()


def test_random_numbers_differ_from_job_to_job(server: Server) -> None:
    code = "import random, uuid, secrets, tempfile\nresult = [random.random(), str(uuid.uuid4()), tempfile.mktemp()]"
    first, second = server.run(code).value, server.run(code).value
    assert all(one != other for one, other in zip(first, second, strict=True))


def test_hashes_differ_from_fork_server_to_fork_server(server: Server, tier: str, user: str, python: str) -> None:
    with Server(tier, python=python, user=user, preload=["json"]) as other:
        assert server.run("result = hash('word')").value != other.run("result = hash('word')").value


def test_arguments_are_json_in_argv(server: Server) -> None:
    ran = server.run("import json, sys\nresult = json.loads(sys.argv[1]) == args", args={"ü": [1, None]})
    assert ran.value is True
    assert json.loads(server.run("import sys; print(sys.argv[1])", args="\ud800").text) == "\ud800"
