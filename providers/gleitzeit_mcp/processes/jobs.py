"""Job objects: how Windows ends a whole tree of processes, also when the one that holds the job is killed."""

from __future__ import annotations

import importlib
import os
from typing import Any

_WINDOWS = os.name == "nt"


def hold_in_job(pid: int) -> Any:
    """Put a process, and with it all that it will start, into a job that ends when the handle returned is closed.

    Nothing where the system is not Windows.
    """
    if not _WINDOWS:
        return None
    # By name, for only Windows has them, and no checker knows them elsewhere.
    pywintypes, win32api, win32con, win32job = (
        importlib.import_module(name) for name in ("pywintypes", "win32api", "win32con", "win32job")
    )
    job = win32job.CreateJobObject(None, "")
    limits = win32job.QueryInformationJobObject(job, win32job.JobObjectExtendedLimitInformation)
    limits["BasicLimitInformation"]["LimitFlags"] |= win32job.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
    win32job.SetInformationJobObject(job, win32job.JobObjectExtendedLimitInformation, limits)
    try:
        handle = win32api.OpenProcess(win32con.PROCESS_TERMINATE | win32con.PROCESS_SET_QUOTA, False, pid)
        win32job.AssignProcessToJobObject(job, handle)
    except pywintypes.error:  # it has ended already
        return None
    return job
