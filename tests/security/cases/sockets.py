"""Connections: none of any kind."""

from __future__ import annotations

from tests.security.cases.case import Case

CASES = [
    Case(
        "no socket of any family",
        """
import socket
for family in (1, 2, 10, 16, 17, 29, 31, 38, 40, 44):
    for kind in (1, 2, 3, 5):
        try: socket.socket(family, kind)
        except OSError: continue
        print("ESCAPED", family, kind)
""",
    ),
    Case(
        "a pair of datagram sockets writes to no other",
        """
import socket
for kind in (socket.SOCK_DGRAM, socket.SOCK_SEQPACKET, socket.SOCK_STREAM):
    try: one, other = socket.socketpair(socket.AF_UNIX, kind)
    except OSError: continue
    for address in (args["folder"] + "/log.sock", "\\0" + args["abstract"] + "-datagrams", "/dev/log"):
        try: one.sendto(b"hello", address)
        except OSError: continue
        print("ESCAPED", kind, address)
""",
    ),
    Case(
        "the descriptor of the frames is no way out",
        """
import array, socket
frames = socket.socket(fileno=3)
for attempt in (
    lambda: frames.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [1]))]),
    lambda: frames.connect(args["folder"] + "/docker.sock"),
    lambda: frames.bind("mine"),
    lambda: frames.listen(1),
    lambda: frames.recvmsg(1, 1024),
):
    try: attempt()
    except OSError: continue
    print("ESCAPED")
frames.detach()
""",
    ),
    Case(
        "whoever is at the other end cannot be held",
        """
import socket
one, other = socket.socketpair()
frames = socket.socket(fileno=3)
for end in (one, frames):
    for option in (17, 77, 31, 59):
        try: end.getsockopt(socket.SOL_SOCKET, option, 16)
        except OSError: continue
        print("ESCAPED", option)
    for option in (26, 27, 50, 52):
        try: end.setsockopt(socket.SOL_SOCKET, option, b"\\0" * 16)
        except OSError: continue
        print("ESCAPED", option)
frames.detach()
""",
    ),
    Case(
        "the C library does not help",
        """
import ctypes, socket
library = ctypes.CDLL(None, use_errno=True)
for family, kind in ((2, 1), (2, 2), (1, 1), (1, 2)):
    if library.socket(family, kind, 0) >= 0: print("ESCAPED", family, kind)
""",
    ),
]
