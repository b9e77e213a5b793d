"""Becomes the command in its arguments, which ends with the process that started it even where that one is killed.

Run as a script, by a bare interpreter: `python -I -S leash.py PARENT LC_CTYPE COMMAND...`. Linux only.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_NOT_EXECUTABLE = 126


def main(parent: str, locale: str, *command: str) -> None:
    """Ask the kernel for the signal, and go on as the command."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # it was killed before the kernel was asked
        return
    # The interpreter sets it by itself where there is no locale.
    if locale:
        os.environ["LC_CTYPE"] = locale
    else:
        os.environ.pop("LC_CTYPE", None)
    try:
        os.execv(command[0], command)  # noqa: S606 - the command is what the configuration says
    except OSError as error:
        sys.stderr.write(f"{command[0]} can't be executed: {error.strerror}\n")
        sys.exit(_NOT_EXECUTABLE)


if __name__ == "__main__":
    main(*sys.argv[1:])
