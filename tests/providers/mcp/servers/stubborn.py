"""A server that tells its process id to the port in its argument, and neither answers nor leaves.

The connection by which it tells stands for as long as it lives.
"""

from __future__ import annotations

import os
import signal
import socket
import sys

signal.signal(signal.SIGTERM, signal.SIG_IGN)
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as told:
    told.sendall(f"{os.getpid()}".encode())
    while True:
        signal.pause()
