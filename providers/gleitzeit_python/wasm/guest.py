"""The module that runs in WebAssembly around the code of a job; `child.py` sends it there, and calls `main`.

Nothing but the interpreter's own modules is there, and some of what the worker elsewhere is made of, as `modules`.
"""

from __future__ import annotations

import ast
import binascii
import codecs
import inspect
import io
import json
import marshal
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from types import CodeType, ModuleType
from typing import Any, Final

WORK: Final = "/data"
SCRIPT_HINTS: Final[Mapping[str, str]] = {
    "No module named": "the tier wasm has the standard library of Python alone, without numpy and other packages, and"
    " of it neither ctypes, bz2, lzma nor curses: run this in the tier ns, ll or docker",
    "can't start new thread": "the tier wasm has no threads: use asyncio, or run this in the tier ns, ll or docker",
    "does not support processes": "the tier wasm starts no programs: run this in the tier docker",
    "networking not enabled": "no tier has a network: fetch by `await call(...)`",
    "cannot be called from a running event loop": "the tier wasm runs an event loop already: use `await` outside of"
    " functions instead",
}

_BUFFER: Final = 32 << 10
_EAGER: Final = 500

Ask = Callable[..., Awaitable[str]]
End = dict[str, Any]
Job = Mapping[str, Any]


class Stream(io.RawIOBase):
    """Bytes to a stream of the runtime, which takes text only; none of it begins as frames do."""

    def __init__(self, write: Callable[[str], object], mark: str) -> None:
        self._write = write
        self._mark = mark
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def writable(self) -> bool:
        """It is there to be written to."""
        return True

    def write(self, data: Any) -> int:
        """Write all of it."""
        text = self._decoder.decode(bytes(data))
        if text:
            self._write(f" {text}" if text.startswith(self._mark) else text)
        return len(data)


class Text(io.TextIOWrapper):
    """What was printed before a job was killed is what tells why it had to be: the first lines go out at once."""

    eager = _EAGER

    def write(self, text: str, /) -> int:
        """Write, and for some lines let nothing wait."""
        count = super().write(text)
        if self.eager and "\n" in text:
            self.eager -= 1
            self.flush()
        return count


class Connection:
    """What `gleitzeit_sandbox` speaks through."""

    def __init__(self, ask: Ask, tell: Callable[[str], object], sandbox: ModuleType) -> None:
        self._ask = ask
        self._tell = tell
        self._sandbox = sandbox

    def send(self, frame: Mapping[str, Any]) -> None:
        """Tell something."""
        self._tell(json.dumps(frame, allow_nan=False))

    def ask(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Refuse: nothing here can wait but by `await`."""
        raise self._sandbox.CallError(
            "the tier wasm has no threads, so nothing can wait without `await`",
            code="unsupported",
            hint="use `await call(...)` and `await ask(...)`",
        )

    async def ask_later(self, frame: Mapping[str, Any]) -> Any:
        """Await an answer."""
        return json.loads(await self._ask(frame=json.dumps(frame, allow_nan=False)))


class Awaiting(ast.NodeTransformer):
    """`asyncio.run(x)` outside of functions becomes `await x`: the loop runs already."""

    def visit_FunctionDef(self, node: ast.AST) -> ast.AST:
        """Leave functions as they are."""
        return node

    visit_AsyncFunctionDef = visit_Lambda = visit_ClassDef = visit_FunctionDef  # noqa: N815

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Replace that one call."""
        self.generic_visit(node)
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="asyncio"), attr="run"), args=[coroutine]):
                return ast.copy_location(ast.Await(coroutine), node)
            case _:
                return node


class Guest:
    """One job, from its frame to its end."""

    def __init__(self, job: Job, modules: Mapping[str, str], ask: Ask, tell: Callable[[str], object]) -> None:
        self._job = job
        self._modules = modules
        self._ask = ask
        self._failures = self._load("failures")
        self._policy = self._load("policy")
        self._sandbox = self._load("gleitzeit_sandbox")
        self._sandbox.connect(Connection(ask, tell, self._sandbox), job["args"], interactive=job["interactive"])

    async def carry_out(self) -> None:
        """Run the code, send what it has left, and tell how it ended."""
        main = self._begin()  # not in sys.modules, for there the runtime looks for its own
        try:
            await self._run(main)
            end = self._ended(main)
        except SystemExit as stop:
            end = self._stopped(stop, main)
        except BaseException as error:  # noqa: BLE001 whatever the job raises is its end
            end = self._failed(error)
        try:
            await self._send_artifacts()
        except BaseException as error:  # noqa: BLE001
            end = self._failed(error)
        await self._tell_end(end)

    def _load(self, name: str) -> ModuleType:
        module = ModuleType(name)
        sys.modules[name] = module
        exec(_compiled(self._modules[name]), module.__dict__)  # noqa: S102
        return module

    def _begin(self) -> ModuleType:
        job = self._job
        os.chdir(WORK)
        for name, path in job["copies"].items():
            _copy(path, name)
        os.environ.clear()
        os.environ.update({"HOME": WORK, "LANG": "C.UTF-8", "TMPDIR": WORK, **(job["env"] or {})})
        sys.path[:0] = [WORK, *job["python_path"]]
        sys.argv = job["argv"]
        main = ModuleType("__main__")
        main.__dict__["__builtins__"] = self._policy.builtins_for(job["allowed_modules"])
        if job["mode"] == "inline":
            main.__dict__.update({name: getattr(self._sandbox, name) for name in self._sandbox.GLOBALS})
        else:
            main.__dict__["__file__"] = job["filename"]
        return main

    async def _run(self, main: ModuleType) -> None:
        text, filename = self._job["code"], self._job["filename"]
        self._failures.remember_source(text, filename)
        tree = ast.fix_missing_locations(Awaiting().visit(ast.parse(text, filename)))
        code = compile(tree, filename, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        value = eval(code, main.__dict__)  # noqa: S307 it is what this is for
        if code.co_flags & inspect.CO_COROUTINE:
            await value

    def _ended(self, main: ModuleType) -> End:
        if self._job["mode"] == "inline" and "result" in main.__dict__:
            return {"ok": True, "exit": 0, "value": main.__dict__["result"]}
        return {"ok": True, "exit": 0}

    def _stopped(self, stop: SystemExit, main: ModuleType) -> End:
        if stop.code is None or stop.code == 0:
            return self._ended(main)
        if type(stop.code) is int:
            return {"ok": False, "exit": stop.code & 0xFF}
        told = self._failures.failure(stop, "")
        sys.stderr.write(told["message"] + "\n")
        return {"ok": False, "exit": 1, "error": {**told, "traceback": ""}}

    def _failed(self, error: BaseException) -> End:
        told = self._failures.failure(error, self._job["filename"])
        hint = next((hint for sign, hint in SCRIPT_HINTS.items() if sign in told["message"]), None)
        if hint is not None:
            told["message"] += f" ({hint})"
            told["traceback"] += f"({hint})\n"
        sys.stderr.write(told["traceback"])
        return {"ok": False, "exit": 1, "error": told}

    async def _send_artifacts(self) -> None:
        if not self._job["artifacts"]:
            return
        channel = sys.modules["gleitzeit_python.worker.channel"] = ModuleType("gleitzeit_python.worker.channel")
        channel.__dict__["Channel"] = Frames
        frames = Frames()
        self._load("artifacts").send(frames, WORK, self._job["artifacts"], self._job["limits"]["artifacts"])
        for frame in frames.all:
            await self._ask(frame=frame)

    async def _tell_end(self, end: End) -> None:
        try:
            text = json.dumps({"end": end}, allow_nan=False)
        except BaseException as error:  # noqa: BLE001 the value is the job's, and so are its methods
            told = self._failures.failure(error, "")
            words = f"`result` cannot be sent as JSON: {told['message'] or told['type']}"
            sys.stderr.write(words + "\n")
            problem = {"type": "ResultError", "message": words, "traceback": ""}
            text = json.dumps({"end": {"ok": False, "exit": 1, "error": problem}})
        sys.stdout.flush()
        sys.stderr.flush()
        await self._ask(frame=text)


class Frames:
    """Stands for the channel that artifacts are sent over elsewhere."""

    def __init__(self) -> None:
        self.all: list[str] = []

    def send(self, frame: Mapping[str, Any]) -> None:
        """Keep one."""
        self.all.append(json.dumps(frame))


async def main(text: str, mark: str, modules: Mapping[str, str], ask: Ask) -> None:
    """Carry out the job that `text` is. Standard output also carries frames, which begin with `mark`."""
    write: Callable[[str], object] = sys.stdout.write
    sys.stdout = _stream(write, mark)
    sys.stderr = _stream(sys.stderr.write, mark)
    await Guest(json.loads(text), modules, ask, lambda frame: write(mark + frame)).carry_out()


def _copy(source: str, target: str) -> None:
    """Without pathlib, whose import takes longer in here than most jobs."""
    os.makedirs(os.path.dirname(target) or ".", exist_ok=True)  # noqa: PTH103, PTH120
    with open(source, "rb") as given, open(target, "wb") as copy:  # noqa: PTH123
        while data := given.read(_BUFFER):
            copy.write(data)


def _stream(write: Callable[[str], object], mark: str) -> Text:
    return Text(io.BufferedWriter(Stream(write, mark), _BUFFER), "utf-8", "backslashreplace", newline="\n")


def _compiled(text: str) -> CodeType:
    code: CodeType = marshal.loads(binascii.a2b_base64(text))  # noqa: S302 compiled here, before there was a job
    return code
