"""The filter itself, run by an interpreter of ours: so that it can be tried for machines that are not there."""

from __future__ import annotations

import errno
import platform
import struct
from dataclasses import dataclass

import pytest

from gleitzeit_python.worker.bpf import AT_LEAST, ITSELF, JUMP, RETURN, Instruction, answer, by_number
from gleitzeit_python.worker.numbers import numbers
from gleitzeit_python.worker.seccomp import MISSING, PLAIN, TOUCHING, UNSUPPORTED, program

MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, KILL = 0x7FFF0000, 0x80000000
ME = 42


def refused(number: int) -> int:
    return 0x00050000 | number


@dataclass(frozen=True)
class Kernel:
    """Runs the filter of a machine as the kernel does."""

    machine: str
    first: bool = True
    sees_host_files: bool = False
    truncates: bool = True

    def answer(self, name: str, *arguments: int) -> int:
        return self.answer_to(numbers(self.machine)[name], *arguments)

    def answer_to(self, number: int, *arguments: int, architecture: int | None = None) -> int:
        padded = (*arguments, *([0] * (6 - len(arguments))))
        data = struct.pack("<IIQ6Q", number, architecture or MACHINES[self.machine], 0, *padded)
        instructions = program(
            first=self.first,
            sees_host_files=self.sees_host_files,
            truncates=self.truncates,
            machine=self.machine,
        )
        place, accumulator = 0, 0
        while True:
            code, if_true, if_false, value = instructions[place]
            place += 1
            if code == 0x06:
                return value
            if code == 0x05:
                place += value
                continue
            if code == 0x20:
                (accumulator,) = struct.unpack_from("<I", data, value)
                continue
            value = ME if value == ITSELF else value
            holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[code]
            place += if_true if holds else if_false


@pytest.fixture(params=MACHINES)
def kernel(request: pytest.FixtureRequest) -> Kernel:
    return Kernel(request.param)


def test_what_is_listed_is_allowed(kernel: Kernel) -> None:
    known = numbers(kernel.machine)
    assert {name for name in PLAIN if name in known and kernel.answer(name) != ALLOW} == set()
    assert all(kernel.answer(name) == refused(errno.ENOSYS) for name in MISSING)
    assert all(kernel.answer(name) == refused(errno.EOPNOTSUPP) for name in UNSUPPORTED)


def test_every_other_number_is_refused(kernel: Kernel) -> None:
    known = numbers(kernel.machine)
    named = {known[name] for name in (*PLAIN, *TOUCHING, *MISSING, *UNSUPPORTED) if name in known}
    asked = "ioctl fcntl socketpair getsockopt prctl prlimit64 sendto recvfrom kill tgkill clone truncate".split()
    others = set(range(452)) - named - {known[name] for name in asked}
    assert {number for number in others if kernel.answer_to(number) != refused(errno.EPERM)} == set()
    assert kernel.answer_to(470) == refused(errno.ENOSYS)


def test_what_is_dangerous_is_not_listed(kernel: Kernel) -> None:
    on_x86_64 = {59, 57, 58, 41, 42, 46, 47, 49, 50, 101, 165, 272, 308, 321, 425, 434, 438, 317, 322, 105, 310, 311}
    on_aarch64 = {221, 198, 203, 211, 212, 200, 201, 117, 40, 97, 268, 280, 425, 434, 438, 277, 281, 146, 270, 271}
    dangerous = on_x86_64 if kernel.machine == "x86_64" else on_aarch64
    assert {number for number in dangerous if kernel.answer_to(number) == ALLOW} == set()


def test_the_calls_of_another_architecture_kill(kernel: Kernel) -> None:
    for architecture in (0x40000003, 0x40000028, 0xC000003E ^ 0xC00000B7 ^ MACHINES[kernel.machine]):
        assert kernel.answer_to(1, architecture=architecture) == KILL


def test_x32_kills() -> None:
    assert Kernel("x86_64").answer_to(0x40000001) == KILL


def test_only_this_process_is_signalled(kernel: Kernel) -> None:
    assert kernel.answer("kill", ME, 10) == ALLOW
    assert kernel.answer("tgkill", ME, ME, 6) == ALLOW
    for target in (0, 1, ME + 1, (1 << 32) - 1, (1 << 64) - 1):
        assert kernel.answer("kill", target, 9) == refused(errno.EPERM)
        assert kernel.answer("tgkill", target, ME, 9) == refused(errno.EPERM)


def test_the_first_process_of_a_namespace_can_kill_itself(kernel: Kernel) -> None:
    assert kernel.answer("kill", ME, 9) == KILL
    assert Kernel(kernel.machine, first=False).answer("kill", ME, 9) == ALLOW


def test_threads_are_all_that_is_cloned(kernel: Kernel) -> None:
    assert kernel.answer("clone", 0x003D0F00) == ALLOW
    for flags in (17, 0x01200011, 0x4111, 0x003D0F00 | 0x10000000, 0x00010000 | 0x40000000, 0x00010000 | 0x00020000):
        assert kernel.answer("clone", flags) == refused(errno.EPERM)


def test_what_is_sent_has_no_address(kernel: Kernel) -> None:
    assert kernel.answer("sendto", 3, 4, 5, 0, 0, 0) == ALLOW
    for address in (1, 1 << 32, 0x7FFF_0000_0000):
        assert kernel.answer("sendto", 3, 4, 5, 0, address, 16) == refused(errno.EPERM)


def test_nothing_goes_out_of_band(kernel: Kernel) -> None:
    for name in ("sendto", "recvfrom"):
        assert kernel.answer(name, 3, 4, 5, 0x4040) == ALLOW
        assert kernel.answer(name, 3, 4, 5, 0x4041) == refused(errno.EPERM)


def test_where_landlock_does_not_see_it_no_file_is_emptied_but_by_writing_to_it(kernel: Kernel) -> None:
    older = Kernel(kernel.machine, sees_host_files=True, truncates=False)
    for name, before in (("open", (1,)), ("openat", (3, 1))):
        if name not in numbers(kernel.machine):
            continue
        for flags in (0, 1, 2, 3, 0o1001, 0o1002, 0o1101, 0o2001002):
            assert older.answer(name, *before, flags) == ALLOW
        for flags in (0o1000, 0o1003, 0o1100, 0o2001003, (1 << 32) | 0o1000):
            assert older.answer(name, *before, flags) == refused(errno.EPERM)
            assert kernel.answer(name, *before, flags) == ALLOW


def test_pairs_of_sockets_are_streams(kernel: Kernel) -> None:
    assert kernel.answer("socketpair", 1, 1 | 0x80000) == ALLOW
    for family, kind in ((1, 2), (1, 5), (2, 1), (1, 2 | 0x80000)):
        assert kernel.answer("socketpair", family, kind) == refused(errno.EPERM)


def test_sockets_tell_their_kind_and_not_who_is_at_the_other_end(kernel: Kernel) -> None:
    assert kernel.answer("getsockopt", 3, 1, 3) == ALLOW
    for level, name in ((1, 17), (1, 77), (6, 3), (1, 26)):
        assert kernel.answer("getsockopt", 3, level, name) == refused(errno.EPERM)
    assert kernel.answer("setsockopt", 3, 1, 26) == refused(errno.EPERM)


def test_descriptors_do_not_send_signals(kernel: Kernel) -> None:
    assert kernel.answer("fcntl", 3, 4) == ALLOW
    assert all(kernel.answer("fcntl", 3, lock) == refused(0) for lock in (6, 7, 37, 38))
    for command in (8, 10, 15, 1024, 1026, 1031):
        assert kernel.answer("fcntl", 3, command) == refused(errno.EPERM)


def test_limits_are_ones_own(kernel: Kernel) -> None:
    assert kernel.answer("prlimit64", 0, 7) == ALLOW
    assert kernel.answer("prlimit64", ME, 7) == refused(errno.EPERM)


def test_where_files_of_the_host_are_seen_they_are_not_touched(kernel: Kernel) -> None:
    seeing = Kernel(kernel.machine, sees_host_files=True, truncates=False)
    known = numbers(kernel.machine)
    assert all(seeing.answer(name) == refused(0) for name in TOUCHING if name in known)
    assert all(kernel.answer(name) == ALLOW for name in TOUCHING if name in known)
    assert seeing.answer("truncate") == refused(errno.EPERM)


def test_no_number_is_there_twice(kernel: Kernel) -> None:
    known = numbers(kernel.machine)
    assert len(set(known.values())) == len(known)


def test_an_unknown_machine_has_no_numbers() -> None:
    assert numbers("sparc") == {}


def test_a_filter_fits_the_kernel(kernel: Kernel) -> None:
    instructions = program(first=True, sees_host_files=True, truncates=True, machine=kernel.machine)
    assert len(instructions) < 4096
    assert all(max(one.if_true, one.if_false) < 256 for one in instructions)


def test_this_machine_is_known() -> None:
    assert numbers(platform.machine())


def ran(instructions: list[Instruction], number: int) -> int:
    """What a program answers to a number that is loaded."""
    place = 0
    while True:
        code, if_true, if_false, value = instructions[place]
        place += 1
        if code == RETURN:
            return value
        if code == JUMP:
            place += value
        else:
            assert code == AT_LEAST
            place += if_true if number >= value else if_false


@pytest.mark.parametrize("filling", [1, 300])
def test_each_number_finds_its_own_instructions(filling: int) -> None:
    """Also beyond instructions that no conditional jump can pass over."""
    long = (*[Instruction(AT_LEAST, 0, 0, 0)] * filling,)
    bodies = {number: (*long, answer(number)) for number in (0, 3, 4, 9, 20)}
    bodies |= {5: bodies[4]}
    others = {0: (answer(1_000),), 9: (answer(2_000),), 15: (answer(3_000),)}
    told = [ran(by_number(bodies, others), number) for number in range(25)]
    assert told == [0, 1000, 1000, 3, 4, 4, 1000, 1000, 1000, 9, *[2000] * 5, *[3000] * 5, 20, *[3000] * 4]
