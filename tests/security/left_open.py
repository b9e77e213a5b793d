"""What each tier leaves open, and why: inside of its box, for none of it reaches the host."""

from __future__ import annotations

from collections.abc import Mapping

from tests.security.cases.case import Case

_FILES = "the container's own file system, of the interpreter and little else"
_FAMILIES = "sockets of usual families, in a network that has no other end"
_PROGRAMS = "programs, for they are what this tier is for; pids and memory are limited for all of them together"
_PROCESSES = "processes of the container itself"
_BESIDE = "the relay beside the job, which belongs to this job alone"
_LOCKS = "locks, whose memory counts as the container's"
_CALLS = "calls of the kernel that ordinary programs use"
_SYSTEM = "the runtime's own stand-in, which leads nowhere"

OPEN: Mapping[str, Mapping[str, str]] = {
    "docker": {
        "the users of the host are not read": "an /etc/passwd, of the container",
        "no folder of the host is listed": _FILES,
        "nothing is written outside": "a /dev/shm of 16 MiB, of the container",
        "no device is opened and none is made": "terminals of the container, and named pipes in its folders",
        "no socket of any family": _FAMILIES,
        "a pair of datagram sockets writes to no other": "an address that is ignored: the socket has its peer",
        "the descriptor of the frames is no way out": _BESIDE,
        "whoever is at the other end cannot be held": _BESIDE,
        "the C library does not help": _FAMILIES,
        "no process is started": _PROGRAMS,
        "every way to a module of the system ends at the kernel": _PROGRAMS,
        "a thread brings no namespace": _PROGRAMS,
        "no process is signalled": _PROCESSES,
        "no process is signalled by a descriptor that becomes ready": _PROCESSES,
        "limits of others do not change": _PROCESSES,
        "memory of others is not read": "the command line of the relay",
        "locks on parts of files take no memory of the kernel": _LOCKS,
        "where links of the host lead is not seen": _FILES,
        "descriptors are limited": "256 instead of 64, for programs",
        "calls that only holes need are refused": _CALLS,
        "terminals are not typed into": "no terminal is there to be typed into",
    },
    "wasm": {
        "files are limited in number": "only their bytes are limited, in memory of a process that ends with the job",
        "no socket of any family": _SYSTEM,
        "only the descriptors of the job are open": "folders of the runtime's own file system",
        "honest code works": "it has no threads",
    },
}


def reason_of(case: Case, tier: str) -> str | None:
    """Why a tier is known not to hold a case; nothing where it has to."""
    return case.weak.get(tier) or OPEN.get(tier, {}).get(case.name)
