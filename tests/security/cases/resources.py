"""Bombs: memory, threads, descriptors, output."""

from __future__ import annotations

from tests.security.cases.case import Case

CASES = [
    Case(
        "memory is limited",
        """
kept = []
try:
    for _ in range(64): kept.append(bytearray(b"x" * (16 << 20)))
except MemoryError: pass
if len(kept) > 40: print("ESCAPED", len(kept))
""",
    ),
    Case(
        "memory that no process has mapped is limited",
        """
import os, fcntl
total, pipes = 0, []
try:
    while True: total += os.write(os.memfd_create("x"), bytes(1 << 20))
except OSError: pass
try:
    while True:
        pipes.append(os.pipe())
        os.set_blocking(pipes[-1][1], False)
        fcntl.fcntl(pipes[-1][1], 1031, 1 << 20)
        total += os.write(pipes[-1][1], bytes(1 << 20))
except OSError: pass
if total > 64 << 20: print("ESCAPED", total)
""",
    ),
    Case(
        "memory shared by name is limited",
        """
import ctypes
library = ctypes.CDLL(None, use_errno=True)
if library.shmget(0, 64 << 20, 0o1600) >= 0: print("ESCAPED by shmget")
if library.msgget(0, 0o1600) >= 0: print("ESCAPED by msgget")
if library.mlockall(3) == 0: print("ESCAPED by mlockall")
""",
    ),
    Case(
        "locks on parts of files take no memory of the kernel",
        """
import fcntl, os, struct
one, other = os.open("locked", os.O_RDWR | os.O_CREAT), os.open("locked", os.O_RDWR)
lock = struct.pack("hhqqi", fcntl.F_WRLCK, 0, 0, 1, 0)
fcntl.fcntl(one, 37, lock)
try: fcntl.fcntl(other, 37, lock)
except OSError: print("ESCAPED")
""",
    ),
    Case(
        "threads are limited",
        """
import threading, time
threading.stack_size(32 << 10)
count = 0
try:
    while count < 5000:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        count += 1
except (RuntimeError, MemoryError): pass
print("ESCAPED" if count >= 5000 else count, flush=True)
__import__("os")._exit(0)
""",
    ),
    Case(
        "descriptors are limited",
        """
import os
count = 0
try:
    for count in range(10_000): os.dup(0)
except OSError: pass
if count > 100: print("ESCAPED", count)
""",
    ),
    Case(
        "a flood of output is no memory of the host",
        """
import os
data = b"\\xff" * (1 << 16)
for _ in range(4000):
    os.write(1, data)
    os.write(2, data)
""",
    ),
    Case(
        "standard input is at its end",
        """
import sys
if sys.stdin.read(1) or __import__("os").read(0, 1): print("ESCAPED")
""",
    ),
    Case(
        "a stack without an end ends one job",
        """
import sys
sys.setrecursionlimit(10**9)
nested = []
for _ in range(10**6): nested = [nested]
repr(nested)
""",
    ),
]
