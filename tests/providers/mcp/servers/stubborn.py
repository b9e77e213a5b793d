"""A server that writes its process id to the file named by its argument, and neither answers nor leaves."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

signal.signal(signal.SIGTERM, signal.SIG_IGN)
Path(sys.argv[1]).write_text(f"{os.getpid()}\n", encoding="ascii")
while True:
    signal.pause()
