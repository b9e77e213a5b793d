"""Other processes: none to start, to signal, to look into, or to be left behind."""

from __future__ import annotations

from tests.security.cases.case import Case

CASES = [
    Case(
        "no process is started",
        """
import ctypes, os, subprocess, sys
library = ctypes.CDLL(None, use_errno=True)
ways = (
    os.fork, lambda: os.posix_spawn("/bin/true", ["true"], {}), lambda: subprocess.run([sys.executable, "-c", ""]),
    lambda: os.execv("/bin/true", ["true"]), lambda: os.execv(sys.executable, [sys.executable]),
)
for way in ways:
    try: way()
    except OSError: continue
    print("ESCAPED")
if os.system("true") == 0: print("ESCAPED by system")
if library.fork() >= 0 or library.vfork() >= 0: print("ESCAPED by the C library")
""",
    ),
    Case(
        "a thread brings no namespace",
        """
import ctypes
library = ctypes.CDLL(None, use_errno=True)
number = 56 if __import__("platform").machine() == "x86_64" else 220
for flags in (0x10000000, 0x20000000, 0x40000000, 0x00020000, 0x11, 0x01200011):
    if library.syscall(number, ctypes.c_long(flags), 0, 0, 0, 0) >= 0: print("ESCAPED", hex(flags))
""",
    ),
    Case(
        "no process is signalled",
        """
import os, signal
for target in (os.getppid(), args["server"], -1, 0, -args["server"], 2):
    for send in (os.kill, os.killpg):
        try: send(target, signal.SIGUSR1)
        except OSError: continue
        print("ESCAPED", target)
try: signal.pidfd_send_signal(os.pidfd_open(args["server"]), signal.SIGUSR1); print("ESCAPED")
except OSError: pass
""",
    ),
    Case(
        "no process is signalled by a descriptor that becomes ready",
        """
import ctypes, fcntl, os, signal, struct
for number in (fcntl.F_SETOWN, 15):
    for target in (args["server"], os.getppid()):
        end, other = os.pipe()
        try:
            fcntl.fcntl(end, 10, signal.SIGUSR1)
            fcntl.fcntl(end, number, target if number == fcntl.F_SETOWN else struct.pack("ii", 1, target))
            fcntl.fcntl(end, fcntl.F_SETFL, os.O_ASYNC)
            os.write(other, b"x")
        except OSError: continue
        print("ESCAPED", target)
""",
    ),
    Case(
        "limits of others do not change",
        """
import resource
for target in {args["server"], __import__("os").getppid(), 2} - {0}:  # 0 is the job itself
    try: resource.prlimit(target, resource.RLIMIT_CORE, (0, 0))
    except (OSError, ValueError): continue
    print("ESCAPED", target)
""",
    ),
    Case(
        "own limits do not grow",
        """
import resource
for kind in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
    _, hard = resource.getrlimit(kind)
    try: resource.setrlimit(kind, (hard, hard + 1))
    except (OSError, ValueError): continue
    print("ESCAPED", kind)
""",
    ),
    Case(
        "memory of others is not read",
        """
import ctypes, os
library = ctypes.CDLL(None, use_errno=True)
buffer = ctypes.create_string_buffer(64)
for target in (args["server"], os.getppid()):
    if library.ptrace(16, target, 0, 0) == 0: print("ESCAPED by ptrace")
    if library.process_vm_readv(target, buffer, 1, buffer, 1, 0) >= 0: print("ESCAPED by process_vm_readv")
    for name in ("mem", "environ", "maps", "cmdline"):
        try: open(f"/proc/{target}/{name}", "rb").read(10)
        except OSError: continue
        print("ESCAPED", name)
""",
    ),
    Case(
        "the secrets of the server are not inherited",
        """
import gc, os, sys
secret = "topsecret-" + "canary"
texts = [value for value in gc.get_objects() if isinstance(value, (dict, list))][:20000]
if secret in repr(dict(os.environ)) + repr(sys.argv): print("ESCAPED")
for holder in texts:
    if holder is globals(): continue
    try: values = list(holder.values() if isinstance(holder, dict) else holder)
    except Exception: continue
    if any(type(value) is str and value == secret and value is not secret for value in values): print("ESCAPED")
""",
    ),
    Case(
        "only the descriptors of the job are open",
        """
import os
for descriptor in range(4, 1024):
    try: os.fstat(descriptor)
    except OSError: continue
    print("ESCAPED", descriptor)
""",
    ),
    Case(
        "a job that ignores all signals is killed",
        """
import signal
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True: pass
""",
    ),
    Case(
        "a job in a long call is killed",
        "import re; re.match(r'(a+)+$', 'a' * 64 + 'b')",
    ),
    Case(
        "threads that go on are killed",
        """
import threading
for _ in range(8): threading.Thread(target=lambda: [None for _ in iter(int, 1)]).start()
""",
    ),
]
