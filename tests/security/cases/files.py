"""Files of the host: to read, to write, to change, to see."""

from __future__ import annotations

from tests.security.cases.case import Case

STAT = "Landlock covers neither stat() nor readlink()"
DISK = "nothing limits the folder of a worker as a whole"

CASES = [
    Case(
        "the users of the host are not read",
        """
try: text = open("/etc/passwd").read()
except OSError: text = ""
if "root:" in text or "daemon" in text: print("ESCAPED")
""",
    ),
    Case(
        "a secret is reached by no path",
        """
import os
secret = args["folder"] + "/secret.txt"
ways = [secret, "../" * 12 + secret, "/proc/self/root" + secret, "/proc/1/root" + secret, "/.old" + secret]
ways += [f"/proc/{os.getppid()}/root{secret}", f"/proc/{os.getppid()}/cwd/{secret}", "/proc/self/fd/3/../.." + secret]
for way in ways:
    try: print("ESCAPED" if open(way).read() else "empty", way)
    except OSError: pass
""",
    ),
    Case(
        "a secret is reached from no descriptor",
        """
import os
for descriptor in range(0, 300):
    for way in (args["folder"] + "/secret.txt")[1:], "../" * 12 + args["folder"] + "/secret.txt":
        try: os.open(way, os.O_RDONLY, dir_fd=descriptor)
        except OSError: continue
        print("ESCAPED by", descriptor)
""",
    ),
    Case(
        "links lead nowhere",
        """
import os
os.symlink(args["folder"] + "/secret.txt", "soft")
try: os.link(args["folder"] + "/secret.txt", "hard")
except OSError: pass
for name in ("soft", "hard"):
    try: print("ESCAPED" if open(name).read() else "empty")
    except OSError: pass
""",
    ),
    Case(
        "no folder of the host is listed",
        """
import os
for folder in ("/", "/etc", "/home", "/root", "/proc", "/sys", "/var", args["folder"], os.path.dirname(os.getcwd())):
    try: names = os.listdir(folder)
    except OSError: continue
    if set(names) - {"passwd", "group", "localtime", "ld.so.cache"}: print("ESCAPED", folder, names[:5])
""",
    ),
    Case(
        "nothing is written outside",
        """
import os
for folder in (args["folder"], "/var/tmp", "/dev/shm", "/etc", "/root", "/usr", "/", os.path.dirname(os.__file__)):
    for name in ("written", "gz_evil"):
        try:
            with open(os.path.join(folder, name), "w") as file: file.write("x")
        except OSError: continue
        print("ESCAPED", folder)
""",
    ),
    Case(
        "nothing outside is renamed, removed or cut",
        """
import os
secret = args["folder"] + "/secret.txt"
for attempt in (
    lambda: os.rename(secret, "mine"), lambda: os.rename(secret, args["folder"] + "/written"),
    lambda: os.unlink(secret), lambda: os.truncate(secret, 0), lambda: os.rmdir(args["folder"] + "/evil"),
    lambda: os.open(secret, os.O_WRONLY | os.O_TRUNC),
):
    try: attempt()
    except OSError: continue
    print("ESCAPED")
""",
    ),
    Case(
        "permissions, owners and times outside do not change",
        """
import os
secret = args["folder"] + "/secret.txt"
for attempt in (
    lambda: os.chmod(secret, 0o777), lambda: os.utime(secret, (1, 1)), lambda: os.chown(secret, 1, 1),
    lambda: os.setxattr(secret, "user.evil", b"1"), lambda: os.chmod(os.path.dirname(secret), 0o777),
    lambda: os.chmod(os.__file__, 0o777), lambda: os.fchmod(os.open(os.__file__, os.O_RDONLY), 0o777),
):
    try: attempt()
    except OSError: pass
""",
    ),
    Case(
        "files of the host are not seen",
        """
import os
try: print("ESCAPED", os.stat(args["folder"] + "/secret.txt").st_size)
except OSError: pass
""",
        weak={"ll": STAT},
    ),
    Case(
        "where links of the host lead is not seen",
        """
import os
for link in ("/proc/self", "/etc/mtab", "/etc/localtime", "/bin", "/proc/1/exe", f"/proc/{args['server']}/cwd"):
    try: print("ESCAPED", link, os.readlink(link))
    except OSError: pass
""",
        weak={"ll": STAT},
    ),
    Case(
        "nothing is planted for those that come after",
        """
import os, sys
for folder in sys.path:
    if folder and os.path.realpath(folder) != os.getcwd():
        for name in ("evil.pth", "sitecustomize.py", "__pycache__/evil.pyc"):
            try: open(os.path.join(folder, name), "w").close()
            except OSError: continue
            print("ESCAPED", folder)
""",
    ),
    Case(
        "nothing is left from one job to the next",
        """
import json, os, tempfile
marks = [os.path.join(folder, "mark") for folder in (".", tempfile.gettempdir(), "/tmp", "/dev/shm")]
if any(map(os.path.exists, marks)) or hasattr(json, "mark"): print("ESCAPED")
json.mark = True
for mark in marks:
    try: open(mark, "w").close()
    except OSError: pass
""",
        times=3,
    ),
    Case(
        "no device is opened and none is made",
        """
import os
for name in ("kmsg", "kvm", "mem", "fuse", "tty", "console", "ptmx", "vda", "sda", "net/tun", "loop-control"):
    try: os.open("/dev/" + name, os.O_RDWR)
    except OSError: continue
    print("ESCAPED", name)
for kind in (0o020600, 0o060600, 0o010600, 0o140600):
    try: os.mknod("device", kind, os.makedev(1, 3))
    except OSError: continue
    print("ESCAPED", oct(kind))
""",
    ),
    Case(
        "disk is limited as a whole",
        """
total = 0
try:
    for number in range(40):
        with open(f"file{number}", "wb") as file:
            for _ in range(16): total += file.write(bytes(1 << 20))
except OSError: pass
if total > 200 << 20: print("ESCAPED", total)
""",
        weak={"ll": DISK},
    ),
    Case(
        "files are limited in number",
        """
count = 0
try:
    for count in range(20_000): open(f"file{count}", "w").close()
except OSError: pass
if count > 10_000: print("ESCAPED", count)
""",
        weak={"ll": DISK},
    ),
    Case(
        "one file is limited, with holes or without",
        """
for grow in (lambda file: file.truncate(1 << 40), lambda file: (file.seek(1 << 40), file.write(b"x"), file.flush())):
    try:
        with open("large", "wb") as file: grow(file)
    except OSError: continue
    print("ESCAPED")
""",
    ),
]
