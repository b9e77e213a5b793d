"""The interpreter: what its cleverness reaches is still inside; and what honest code needs is there."""

from __future__ import annotations

from tests.security.cases.case import Case

CASES = [
    Case(
        "environment variables do not reach the interpreter",
        "import os, sys\nif 'GZ_EVIL_RAN' in os.environ or 'sitecustomize' in sys.modules: print('ESCAPED')",
        env={"PYTHONPATH": "/nowhere/evil", "PYTHONINSPECT": "1", "LD_PRELOAD": "/nowhere/evil.so"},
    ),
    Case(
        "every way to a module of the system ends at the kernel",
        """
import sys
ways = [
    lambda: __import__("os"), lambda: sys.modules["os"], lambda: sys.modules["posix"],
    lambda: next(c for c in object.__subclasses__() if c.__name__ == "_wrap_close").__init__.__globals__["sys"].modules[
        "os"],
    lambda: sys._getframe(1).f_back.f_globals["os"],
]
for way in ways:
    try:
        if way().system("true") == 0: print("ESCAPED")
    except (AttributeError, KeyError, ImportError, TypeError, ValueError, StopIteration): pass
""",
    ),
    Case(
        "hostile objects run in the job alone",
        """
import os
class Hostile(dict):
    def __repr__(self): os._exit(3)
    def items(self): raise SystemExit(0)
    def __eq__(self, other): raise KeyboardInterrupt
    def __reduce__(self): return os.system, (f"touch {args['folder']}/pickled",)
result = Hostile(a=1)
""",
    ),
    Case("a value that holds itself", "result = []\nresult.append(result)"),
    Case("an error that cannot be read", "class E(Exception):\n  def __str__(self): raise SystemExit\nraise E"),
    Case(
        "what a job does to the module that serves it is its own affair",
        """
import gleitzeit_sandbox, json, os
json.dumps = json.loads = lambda *_, **__: 1 / 0
os._exit = lambda code: None
gleitzeit_sandbox.call = None
for name in list(__import__("sys").modules): __import__("sys").modules.pop(name)
result = 1
""",
    ),
    Case(
        "honest code works",
        """
import asyncio, collections, csv, datetime, decimal, hashlib, io, json, math, random, re, sqlite3, statistics, tempfile
import threading, uuid, zoneinfo
from concurrent.futures import ThreadPoolExecutor
async def waited():
    await asyncio.sleep(0.001)
    return await asyncio.to_thread(lambda: 5)
assert await waited() == 5
with open("a.txt", "w") as file: file.write("hello")
with tempfile.NamedTemporaryFile() as file: file.write(b"x")
assert list(ThreadPoolExecutor(8).map(abs, [-1, 2])) == [1, 2]
assert sqlite3.connect(":memory:").execute("select 1").fetchone() == (1,)
assert sqlite3.connect("a.db").execute("create table t (x)").fetchone() is None
datetime.datetime.now().astimezone(zoneinfo.ZoneInfo("Europe/Berlin"))
uuid.uuid4(), random.random(), hashlib.sha256(b"x"), statistics.mean([1, 2]), decimal.Decimal("1.1")
import shutil; shutil.copy("a.txt", "b.txt"); shutil.copytree(".", tempfile.mkdtemp() + "/copy")
result = open("b.txt").read()
""",
        works=True,
    ),
]
