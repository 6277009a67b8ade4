"""What the operating system offers to shut a submission in.

"bubblewrap": no network, no other processes; of the files only the interpreter and d2lutils without the exercises'
checks, read-only, and 256 MiB of its own. "unshare": no network, no other processes, but the teacher's files. "none".
"""

import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from .. import exercises
from ..data.manifest import bundled_dir

__all__ = ["KINDS", "command", "works"]

KINDS = ("bubblewrap", "unshare", "none")
HOME = "/student"
SIZE = str(256 << 20)  # bytes that a submission may write
SYSTEM = (
    "/usr",
    "/lib",
    "/lib64",
    "/lib32",
    "/bin",
    "/sbin",
    "/etc/ld.so.cache",
    "/etc/alternatives",
    "/etc/localtime",
)

KERNEL = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs")


def command(kind, folder, environment=()):
    """The words that go before a command so that it runs shut in, with nothing of this process's environment.

    Args:
        kind: one of ``KINDS``. folder: for the sockets; without bubblewrap also the home. environment: pairs.
    """
    home = HOME if kind == "bubblewrap" else str(folder)
    own = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": home, "TMPDIR": home, "IPYTHONDIR": home}
    words = {"bubblewrap": _bubblewrap, "unshare": _unshare, "none": lambda folder: []}[kind](folder)
    return [*words, "env", "-i", *(f"{name}={value}" for name, value in {**own, **dict(environment)}.items())]


def _bubblewrap(folder):
    words = ["bwrap", "--unshare-all", "--cap-drop", "ALL", "--die-with-parent", "--new-session"]
    for path in (*SYSTEM, sys.base_prefix, sys.prefix, Path(exercises.__file__).parents[1], bundled_dir()):
        words += ["--ro-bind-try", str(path), str(path)]
    package = Path(exercises.__file__).parent
    for name in exercises.CHAPTERS:  # the checks hold their own answers
        words += ["--ro-bind", "/dev/null", str(package / f"{name.replace('-', '_')}.py")]
    if (package / "__pycache__").is_dir():
        words += ["--tmpfs", str(package / "__pycache__")]
    words += ["--proc", "/proc", "--dev", "/dev"]
    for path in ("/dev/shm", HOME):
        words += ["--size", SIZE, "--tmpfs", path]
    for path in KERNEL:  # a root inside is the grader's user outside
        words += ["--ro-bind-try", path, path]
    words += ["--bind", str(folder), str(folder), "--remount-ro", "/dev", "--remount-ro", "/"]
    return [*words, "--chdir", HOME]


def _unshare(folder):
    return ["unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child"]


@cache
def works(kind):
    """Whether this machine can shut a process in like that."""
    if kind == "none":
        return True
    if sys.platform != "linux":
        return False
    with tempfile.TemporaryDirectory() as folder:
        words = [*command(kind, folder), sys.executable, "-c", "import d2lutils"]
        return bool(shutil.which(words[0])) and subprocess.run(words, capture_output=True).returncode == 0
