"""Numbers of system calls: by name, for x86_64 and aarch64 (`-` where a call does not exist)."""

from __future__ import annotations

from typing import Final

_TABLE: Final = """
# Files
read 0 63; write 1 64; open 2 -; close 3 57; stat 4 -; fstat 5 80; lstat 6 -; lseek 8 62; pread64 17 67;
pwrite64 18 68; readv 19 65; writev 20 66; preadv 295 69; pwritev 296 70; preadv2 327 286; pwritev2 328 287;
access 21 -; faccessat 269 48; faccessat2 439 439; openat 257 56; newfstatat 262 79; statx 332 291;
dup 32 23; dup2 33 -; dup3 292 24; pipe 22 -; pipe2 293 59; sendfile 40 71; copy_file_range 326 285;
flock 73 32; fsync 74 82; fdatasync 75 83; ftruncate 77 46; truncate 76 45; fallocate 285 47;
fadvise64 221 223; getdents 78 -; getdents64 217 61; getcwd 79 17; chdir 80 49; fchdir 81 50; rename 82 -;
renameat 264 38; renameat2 316 276; mkdir 83 -; mkdirat 258 34; rmdir 84 -; creat 85 -; link 86 -;
linkat 265 37; unlink 87 -; unlinkat 263 35; symlink 88 -; symlinkat 266 36; readlink 89 -;
readlinkat 267 78; umask 95 166; statfs 137 43; fstatfs 138 44; close_range 436 436; fcntl 72 25;
ioctl 16 29; chmod 90 -; fchmod 91 52; fchmodat 268 53; fchmodat2 452 452; utime 132 -; utimes 235 -;
futimesat 261 -; utimensat 280 88;
setxattr 188 5; lsetxattr 189 6; fsetxattr 190 7; getxattr 191 8; lgetxattr 192 9; fgetxattr 193 10;
listxattr 194 11; llistxattr 195 12; flistxattr 196 13; removexattr 197 14; lremovexattr 198 15; fremovexattr 199 16;
# Memory
mmap 9 222; mprotect 10 226; munmap 11 215; brk 12 214; mremap 25 216; msync 26 227; madvise 28 233;
memfd_create 319 279;
# Waiting
poll 7 -; ppoll 271 73; select 23 -; pselect6 270 72; pause 34 -; nanosleep 35 101; clock_nanosleep 230 115;
epoll_create 213 -; epoll_create1 291 20; epoll_wait 232 -; epoll_pwait 281 22; epoll_pwait2 441 441;
epoll_ctl 233 21; eventfd 284 -; eventfd2 290 19; timerfd_create 283 85; timerfd_settime 286 86;
timerfd_gettime 287 87; futex 202 98; futex_waitv 449 449; sched_yield 24 124; restart_syscall 219 128;
io_uring_setup 425 425; io_uring_enter 426 426; io_uring_register 427 427;
# Time
gettimeofday 96 169; time 201 -; times 100 153; clock_gettime 228 113; clock_getres 229 114;
getitimer 36 102; setitimer 38 103; alarm 37 -; timer_create 222 107; timer_settime 223 110;
timer_gettime 224 108; timer_getoverrun 225 109; timer_delete 226 111;
# Sockets
socketpair 53 199; sendto 44 206; recvfrom 45 207; shutdown 48 210; getsockname 51 204; getpeername 52 205;
setsockopt 54 208; getsockopt 55 209;
# Signals
rt_sigaction 13 134; rt_sigprocmask 14 135; rt_sigreturn 15 139; rt_sigpending 127 136;
rt_sigtimedwait 128 137; rt_sigsuspend 130 133; sigaltstack 131 132; kill 62 129; tgkill 234 131;
# Processes
exit 60 93; exit_group 231 94; wait4 61 260; waitid 247 95; clone 56 220; clone3 435 435; getpid 39 172;
getppid 110 173; gettid 186 178; getpgrp 111 -; getpgid 121 155; getsid 124 156; getuid 102 174;
getgid 104 176; geteuid 107 175; getegid 108 177; getgroups 115 158; getresuid 118 148; getresgid 120 150;
getpriority 140 141; getrlimit 97 163; getrusage 98 165; prlimit64 302 261; prctl 157 167; arch_prctl 158 -;
set_tid_address 218 96; set_robust_list 273 99; rseq 334 293; membarrier 324 283; getcpu 309 168;
sched_getparam 143 121; sched_getscheduler 145 120; sched_get_priority_max 146 125;
sched_get_priority_min 147 126; sched_getaffinity 204 123; uname 63 160; sysinfo 99 179; getrandom 318 278;
openat2 437 437;
# What only a worker that is not yet locked down calls
pivot_root 155 41; mount_setattr 442 442; capset 126 91; landlock_create_ruleset 444 444;
landlock_add_rule 445 445; landlock_restrict_self 446 446;
"""

_COLUMNS: Final = {"x86_64": 1, "aarch64": 2, "arm64": 2}


def numbers(machine: str) -> dict[str, int]:
    """The number of each call that this machine has; none for a machine that is not known."""
    column = _COLUMNS.get(machine)
    if column is None:
        return {}
    rows = [row.split() for line in _TABLE.splitlines() if not line.startswith("#") for row in line.split(";")]
    return {row[0]: int(row[column]) for row in rows if row and row[column] != "-"}
