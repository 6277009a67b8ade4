"""What the operating system offers to shut a submission in: no network, no other processes, no files but its own."""

import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

__all__ = ["NONE", "command", "strongest"]

NONE = "none"


def command(kind, folder, hidden=()):
    """The words that go before a command so that it runs shut in.

    Args:
        kind: of :func:`strongest`. folder: the one place that stays writable. hidden: folders that it must not see.
    """
    if kind == "bubblewrap":
        words = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
        for each in hidden:
            words += ["--tmpfs", str(each)]
        return [
            *words,
            "--bind",
            str(folder),
            str(folder),
            "--unshare-all",
            "--die-with-parent",
            "--chdir",
            str(folder),
        ]
    if kind == "unshare":
        return ["unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child"]
    return []


@cache
def strongest():
    """ "bubblewrap" (network, processes and files), "unshare" (network and processes only) or "none"."""
    if sys.platform != "linux":
        return NONE
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("bubblewrap", "unshare"):
            words = command(kind, folder)
            if shutil.which(words[0]):
                done = subprocess.run([*words, "true"], capture_output=True, cwd=Path(folder))
                if done.returncode == 0:
                    return kind
    return NONE
