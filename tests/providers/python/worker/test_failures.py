"""What is told of an exception."""

from __future__ import annotations

from tests.security.raw import Server

CODE = '''"""A script."""

def outer():
    inner()


def inner():
    raise ValueError("seven")

outer()
'''


def test_a_traceback_has_the_lines_of_the_users_code_and_no_others(server: Server) -> None:
    told = server.run(CODE, mode="script", filename="report.py").error
    assert (told["type"], told["message"]) == ("ValueError", "seven")
    lines = told["traceback"].splitlines()
    assert [line.strip() for line in lines if "File" in line] == [
        'File "report.py", line 10, in <module>',
        'File "report.py", line 4, in outer',
        'File "report.py", line 8, in inner',
    ]
    assert '    raise ValueError("seven")' in lines


def test_the_traceback_is_written_too(server: Server) -> None:
    ran = server.run("1 / 0")
    assert ran.stderr.decode() == ran.error["traceback"]


def test_a_syntax_error_has_its_line(server: Server) -> None:
    told = server.run("x = 1\ny = = 2\n", filename="report.py").error
    assert told["type"] == "SyntaxError"
    assert 'File "report.py", line 2' in told["traceback"]
    assert "worker" not in told["traceback"]


def test_code_that_cannot_be_compiled_is_an_error_of_the_job(server: Server) -> None:
    assert server.run("x = '\0'").error["type"] in ("ValueError", "SyntaxError")
    assert server.run("(" * 100_000).error["type"] in ("MemoryError", "SyntaxError", "RecursionError")


def test_an_exception_that_cannot_be_read_is_told_of(server: Server) -> None:
    ran = server.run("class Evil(Exception):\n  def __str__(self): raise SystemExit(0)\nraise Evil")
    assert ran.error["type"] == "Evil"
    assert "cannot be read" in ran.error["message"]


def test_the_name_of_an_exception_may_be_hostile(server: Server) -> None:
    ran = server.run("raise type('E' * 10_000, (Exception,), {})('m' * (1 << 20))")
    assert len(ran.error["type"]) == 200
    assert len(ran.error["message"]) == 64 << 10
    assert len(ran.error["traceback"]) < 70_000


def test_recursion_is_an_error_of_the_job(server: Server) -> None:
    told = server.run("def f(): f()\nf()").error
    assert told["type"] == "RecursionError"
    assert "line 1, in f" in told["traceback"]
    assert len(told["traceback"]) < 10_000


def test_causes_are_told(server: Server) -> None:
    code = "try: 1 / 0\nexcept ZeroDivisionError as error: raise KeyError('a') from error"
    assert "ZeroDivisionError" in server.run(code).error["traceback"]


def test_a_failure_in_awaited_code_has_its_lines(server: Server) -> None:
    told = server.run("async def f():\n  raise KeyError('a')\nawait f()").error
    assert "line 3, in <module>" in told["traceback"]
    assert "asyncio" not in told["traceback"]


def test_an_interrupt_is_a_failure(server: Server) -> None:
    assert server.run("raise KeyboardInterrupt").error["type"] == "KeyboardInterrupt"
