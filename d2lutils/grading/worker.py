"""Grade one notebook. The submission runs in a kernel of its own, shut in; the checks run here, where it cannot reach.

The kernel is asked for the reader's functions call by call; what comes back is data (see ``values``), so that changing
the check functions, NumPy or the kernel itself can only spoil the submission's own answers. The kernel's prints are
not even listened to.
"""

import ast
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Empty

from .. import exercises
from . import sandbox
from .values import Proxy

__all__ = ["Limits", "examine_notebook", "main"]

CALLED = re.compile(r"""\bcheck\(\s*["']([a-z0-9-]+-\d+)["']""")
LARGEST_ANSWER = 32 << 20  # bytes of a reply
SETUP = ("setup", "solution", "injected-parameters")  # cells that are not the student's


@dataclass(frozen=True)
class Limits:
    """Bounds of one submission.

    Attributes:
        call_seconds: of a cell or of one call of an answer. seconds: in all. memory: bytes of address space.
        sandbox: "auto" takes the strongest that the machine has and refuses to run without one; "none" does without.
    """

    call_seconds: float = 20
    seconds: float = 120
    memory: int = 4 << 30
    sandbox: str = "auto"


class Gone(BaseException):
    """The kernel died or had to be ended; the message says why, in Chinese. No Exception: no wrong answer."""


class Student:
    """A kernel that runs a submission's cells and answers calls.

    Args:
        limits: :class:`Limits`. kind: of sandbox. folder: where it may write. hidden: folders that it must not see.
    """

    def __init__(self, limits, kind, folder, hidden=()):
        from jupyter_client import KernelManager

        self.limits, self.end = limits, time.monotonic() + limits.seconds
        self.manager = KernelManager(transport="ipc", ip=str(Path(folder, "socket")), cache_ports=False)
        self.manager.connection_file = str(Path(folder, "connection.json"))
        words = [*sandbox.command(kind, folder, hidden), sys.executable]
        self.manager.kernel_spec.argv = [
            *words,
            "-m",
            "d2lutils.grading.kernel",
            str(limits.memory),
            "{connection_file}",
        ]
        self.manager.kernel_spec.interrupt_mode = "message"  # a signal would end the sandbox around it
        self.manager.kernel_spec.env = {"HOME": folder, "TMPDIR": folder, "IPYTHONDIR": folder, "TQDM_DISABLE": "1",
                                        "D2LUTILS_PROGRESS": str(Path(folder, "progress.json"))}  # fmt: skip

    def __enter__(self):
        import zmq

        quiet = subprocess.DEVNULL
        self.manager.start_kernel(cwd=self.manager.kernel_spec.env["HOME"], stdin=quiet, stdout=quiet, stderr=quiet)
        self.manager.context.setsockopt(zmq.MAXMSGSIZE, LARGEST_ANSWER)
        self.client = self.manager.blocking_client()
        self.client.shell_channel.start()
        self.run("0", seconds=60)  # until it answers
        return self

    def __exit__(self, *_):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def run(self, code, expression="0", seconds=None):
        """Run code and evaluate an expression; the content of the kernel's reply. Raises Gone or TimeoutError."""
        asked = self.client.execute(code, silent=True, store_history=False, user_expressions={"it": expression})
        stop = min(self.end, time.monotonic() + (seconds or self.limits.call_seconds))
        if (reply := self._reply(asked, stop)) is not None:
            return reply
        self.manager.interrupt_kernel()
        if self._reply(asked, time.monotonic() + 3) is None:
            raise Gone("超时，并且停不下来")
        if time.monotonic() > self.end:
            raise Gone(f"总时间超过 {self.limits.seconds:g} 秒")
        raise TimeoutError

    def _reply(self, asked, stop):
        while (left := stop - time.monotonic()) > 0:
            try:
                message = self.client.shell_channel.get_msg(timeout=min(left, 0.5))
            except Empty:
                if not self.manager.is_alive():
                    raise Gone("进程死了（内存用完，或者自己退出）") from None
                continue
            if message["parent_header"].get("msg_id") == asked:
                return message["content"]
        return None

    def ask(self, name):
        """The function that :class:`~d2lutils.grading.values.Proxy` needs to call ``name`` in the kernel."""

        def call(arguments):
            module = "__import__('d2lutils.grading.values', fromlist=['values'])"
            try:
                content = self.run("", f"{module}.answer({name!r}, {arguments!r}, globals())")
            except TimeoutError:
                raise ValueError(f"超过 {self.limits.call_seconds:g} 秒") from None
            found = content.get("user_expressions", {}).get("it", {})
            try:
                return ast.literal_eval(found["data"]["text/plain"])
            except (KeyError, TypeError, ValueError, SyntaxError):
                raise ValueError(str(found.get("evalue") or content.get("evalue") or "没有返回")[:200]) from None

        return call


def examine_notebook(text, name, limits, hidden=()):
    """Run a submission and examine its exercises; never raises for what the notebook holds.

    Args:
        text: of the .ipynb. name: its file name, which may say the chapter. limits: :class:`Limits`.
        hidden: folders that the submission must not see, such as the other submissions'.

    Returns:
        dict: ``results`` (exercise id to "passed", "wrong", "unanswered" or "lost"), ``hints`` of the wrong ones,
        ``note`` (Chinese, what went wrong with the whole), ``seconds``, ``sandbox``.
    """
    start, outcome = time.monotonic(), {"results": {}, "hints": {}, "note": "", "seconds": 0.0, "sandbox": ""}
    outcome["sandbox"] = kind = sandbox.strongest() if limits.sandbox == "auto" else sandbox.NONE
    try:
        cells = _code_cells(text)
    except ValueError as error:
        return {**outcome, "note": f"不是笔记本：{error}"}
    wanted = _wanted(cells, name)
    outcome["results"] = {exercise.id: "lost" for exercise in wanted}
    if not wanted:
        return {**outcome, "note": "没有找到练习"}
    if kind == sandbox.NONE and limits.sandbox == "auto":
        return {**outcome, "note": "这台机器没有隔离的手段，没有运行"}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            with Student(limits, kind, folder, hidden) as student:
                _examine(student, cells, wanted, outcome)
        except Gone as gone:
            outcome["note"] = str(gone)
    return {**outcome, "seconds": round(time.monotonic() - start, 1)}


def _examine(student, cells, wanted, outcome):
    """Run the cells, then examine each exercise; what is done stands in the outcome even if the kernel goes."""
    errors = sum(_fails(student, source) for source in cells)
    outcome["note"] = f"{errors} 格出错" if errors else ""
    for exercise in wanted:
        result = exercises.examine(exercise, Proxy(student.ask(exercise.name)))
        outcome["results"][exercise.id] = result.status
        if result.status == "wrong":
            outcome["hints"][exercise.id] = f"{result.message}{result.hint}"


def _code_cells(text):
    """Sources of the student's code cells; ValueError if the text is no notebook."""
    try:
        cells = json.loads(text)["cells"]
        kept = [c for c in cells if c["cell_type"] == "code" and not set(SETUP) & set(c["metadata"].get("tags", ()))]
        return ["".join(cell["source"]) for cell in kept]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__}：{str(error)[:80]}") from None


def _wanted(cells, name):
    """The exercises of every chapter that the notebook's checks or its file name mention."""
    mentioned = {id.rpartition("-")[0] for source in cells for id in CALLED.findall(source)}
    mentioned |= {chapter for chapter in exercises.CHAPTERS if f"{chapter}-exercises" in Path(name).stem}
    return [e for c in exercises.CHAPTERS if c in mentioned for e in exercises.exercises(c) if e.examiner]


def _fails(student, source):
    """Run a cell; True if it raised or took too long."""
    try:
        return student.run(source).get("status") != "ok"
    except TimeoutError:
        return True


def main():
    """Read ``{"text", "name", "limits", "hidden"}`` on stdin, write the outcome as JSON on stdout."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the kernel is ended too
    asked = json.load(sys.stdin)
    limits = Limits(**asked["limits"])
    print(json.dumps(examine_notebook(asked["text"], asked["name"], limits, asked["hidden"])))


def request(text, name, limits, hidden=()):
    """What :func:`main` reads, as text."""
    return json.dumps({"text": text, "name": name, "limits": asdict(limits), "hidden": [str(h) for h in hidden]})


if __name__ == "__main__":
    main()
