"""A server that gives up before it speaks."""

from __future__ import annotations

import sys

for number in range(40):
    sys.stderr.write(f"line {number}\n")
sys.stderr.write("fatal: no token given\n")
sys.exit(3)
