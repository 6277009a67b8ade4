"""Grade one notebook. The submission runs in a kernel of its own, shut in; the checks run here, where it cannot reach.

The kernel is asked for the reader's functions call by call; what comes back is data (see ``values``), so that changing
the check functions, NumPy or the kernel itself can only spoil the submission's own answers. The kernel's prints are
not even listened to.
"""

import ast
import contextlib
import ctypes
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Empty

import psutil
import zmq

from .. import exercises
from ..exercises.expect import Wrong
from ..exercises.registry import Unanswered
from . import sandbox
from .values import Proxy

__all__ = ["Limits", "examine_notebook", "main"]

TOOLS = re.compile(r"\b(check|progress)\(")
CALLED = re.compile(r"""\bcheck\(\s*["']([a-z0-9-]+-\d+)["']""")
MOST_PROCESSES = MOST_FILES = 64
LARGEST_ANSWER = 32 << 20  # bytes of a reply
OVERSIZE = "too large to be read"
REMARK = 400  # characters of a remark that are kept
SETUP = ("setup", "injected-parameters")  # cells that are not the student's


@dataclass(frozen=True)
class Limits:
    """Bounds of one submission.

    Attributes:
        call_seconds: of a cell or of one call of an answer. seconds: in all. memory: bytes of address space.
        sandbox: kind of :mod:`~d2lutils.grading.sandbox`.
    """

    call_seconds: float = 20
    seconds: float = 120
    memory: int = 4 << 30
    sandbox: str = "bubblewrap"


class Gone(BaseException):
    """The kernel died or had to be ended; the message says why, in Chinese. No Exception: no wrong answer."""


class Student:
    """A kernel that runs a submission's cells and answers calls.

    Args:
        limits: :class:`Limits`. folder: for its sockets.
    """

    def __init__(self, limits, folder):
        from jupyter_client import KernelManager

        self.limits, self.folder, self.end = limits, folder, time.monotonic() + limits.seconds
        self.manager = KernelManager(transport="ipc", ip=str(Path(folder, "socket")), cache_ports=False)
        self.manager.connection_file = str(Path(folder, "connection.json"))
        words = sandbox.command(limits.sandbox, folder, {"TQDM_DISABLE": "1"})
        kernel = [sys.executable, "-m", "d2lutils.grading.kernel", str(limits.memory), "{connection_file}"]
        self.manager.kernel_spec.argv = [*words, *kernel]
        self.manager.kernel_spec.interrupt_mode = "message"  # a signal would end the sandbox around it

    def __enter__(self):
        quiet = subprocess.DEVNULL
        self.manager.start_kernel(cwd=self.folder, stdin=quiet, stdout=quiet, stderr=quiet)
        self.manager.context.setsockopt(zmq.MAXMSGSIZE, LARGEST_ANSWER)
        self.manager.context.setsockopt(zmq.RCVHWM, 4)
        self.client = self.manager.blocking_client()
        self.client.shell_channel.start()
        try:
            self.run("0", seconds=60)
        except (TimeoutError, Gone) as error:
            self.__exit__()
            raise Gone(f"隔离的进程没有起来（{error}）") from None
        return self

    def __exit__(self, *_):
        family = self._family()  # one that freed itself from the sandbox's own end is ended by hand
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        for process in family:
            with contextlib.suppress(psutil.Error):
                process.kill()

    def _family(self):
        """The processes of the submission, as far as they are still there."""
        try:
            return psutil.Process(self.manager.provisioner.pid).children(recursive=True)
        except psutil.Error:
            return []

    def run(self, code, expression="0", seconds=None):
        """Run code and evaluate an expression; the content of the kernel's reply. Raises Gone or TimeoutError."""
        if time.monotonic() > self.end:
            raise Gone(f"总时间超过 {self.limits.seconds:g} 秒")
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
            self._watch()
            try:
                message = self.client.shell_channel.get_msg(timeout=min(left, 0.5))
            except Empty:
                continue
            if message["parent_header"].get("msg_id") == asked:
                return message["content"]
        return None

    def _watch(self):
        """What the limits of one process do not see: all of them together, and the folder of the sockets."""
        if not self.manager.is_alive():
            raise Gone("进程死了（内存用完，或者自己退出）")
        family, used = self._family(), 0
        for process in family:
            with contextlib.suppress(psutil.Error):
                used += process.memory_info().rss
        if len(family) > MOST_PROCESSES:
            raise Gone(f"进程太多（超过 {MOST_PROCESSES} 个）")
        if used > self.limits.memory:
            raise Gone("几个进程合起来用完了内存")
        inside = [os.path.join(where, name) for where, _, files in os.walk(self.folder) for name in (*files, "")]
        if len(inside) > MOST_FILES or sum(os.lstat(path).st_size for path in inside) > MOST_FILES << 20:
            raise Gone("往不该写的地方写了太多")

    def ask(self, name):
        """The function that :class:`~d2lutils.grading.values.Proxy` needs to call ``name`` in the kernel."""

        def call(arguments):
            module = "__import__('d2lutils.grading.values', fromlist=['values'])"
            try:
                content = self.run("", f"{module}.answer({name!r}, {arguments!r}, globals())")
            except TimeoutError:
                raise Wrong(
                    f"{name} 运行超过 {self.limits.call_seconds:g} 秒，没有结果。", "有没有停不下来的循环？"
                ) from None
            found = content.get("user_expressions", {}).get("it", {})
            try:
                return ast.literal_eval(found["data"]["text/plain"])
            except (KeyError, TypeError, ValueError, SyntaxError):
                raise ValueError(str(found.get("evalue") or content.get("evalue") or "没有返回")[:200]) from None

        return call


def examine_notebook(text, name, limits):
    """Run a submission and examine its exercises; never raises for what the notebook holds.

    Args:
        text: of the .ipynb. name: its file name, which may say the chapter. limits: :class:`Limits`.

    Returns:
        dict: ``results`` (exercise id to "passed", "wrong", "unanswered" or "lost"), ``remarks`` (id to the hint or
        what else there is to say), ``note`` (Chinese, what went wrong with the whole), ``seconds``, ``sandbox``.
    """
    start, outcome = time.monotonic(), {"results": {}, "remarks": {}, "note": "", "seconds": 0.0}
    outcome["sandbox"] = limits.sandbox
    if text == OVERSIZE:
        return {**outcome, "note": "文件太大；清除输出再交"}
    try:
        cells = _code_cells(text)
    except ValueError as error:
        return {**outcome, "note": f"文件是空的、损坏了，或者不是笔记本（{error}）"}
    wanted = _wanted(cells, name)
    outcome["results"] = {exercise.id: "lost" for exercise in wanted}
    if not wanted:
        return {**outcome, "note": "没有找到练习"}
    if not sandbox.works(limits.sandbox):
        return {**outcome, "note": f"这台机器没有 {limits.sandbox}，没有运行", "transient": True}
    folder = tempfile.mkdtemp()
    try:
        with Student(limits, folder) as student:
            _examine(student, cells, wanted, outcome)
    except Gone as gone:
        outcome["note"] = str(gone)
    except Exception as error:  # it found a way to confuse us: what is known stays
        outcome["note"] = f"评不下去（{type(error).__name__}）"
    finally:
        subprocess.run(["rm", "-rf", folder], check=False)  # whatever was piled up in it
    return {**outcome, "seconds": round(time.monotonic() - start, 1)}


def _examine(student, cells, wanted, outcome):
    """Run the cells, then examine each exercise; what is done stands in the outcome even if the kernel goes."""
    errors = [said for number, source in enumerate(cells, start=1) if (said := _fails(student, number, source))]
    outcome["note"] = "；".join(errors[:3]) + ("……" if len(errors) > 3 else "")
    for exercise in wanted:
        result = exercises.examine(exercise, Proxy(student.ask(exercise.name)), _prediction(student, exercise))
        outcome["results"][exercise.id] = result.status
        if said := f"{result.message}{result.hint}":
            outcome["remarks"][exercise.id] = said[:REMARK]


def _prediction(student, exercise):
    """What the reader predicted: the variable ``prediction``, None if there is nothing to predict."""
    if not exercise.predictions:
        return None
    try:
        return Proxy(student.ask("prediction"))()
    except (Unanswered, Wrong):
        return ...


def _code_cells(text):
    """Sources of the student's code cells; ValueError if the text is no notebook."""
    try:
        cells = json.loads(text)["cells"]
        kept = [c for c in cells if c["cell_type"] == "code" and not set(SETUP) & set(c["metadata"].get("tags", ()))]
        return ["".join(cell["source"]) for cell in kept]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(type(error).__name__) from None


def _wanted(cells, name):
    """The exercises of every chapter that the notebook's checks or its file name mention."""
    mentioned = {id.rpartition("-")[0] for source in cells for id in CALLED.findall(source)}
    mentioned |= {chapter for chapter in exercises.CHAPTERS if f"{chapter}-exercises" in Path(name).stem}
    return [e for c in exercises.CHAPTERS if c in mentioned for e in exercises.exercises(c) if e.examiner]


def _fails(student, number, source):
    """Run a cell; what went wrong in a few words, if anything did."""
    try:
        reply = student.run(source)
    except TimeoutError:
        return f"第 {number} 格超过 {student.limits.call_seconds:g} 秒"
    if reply.get("status") == "ok" or TOOLS.search(source):  # the sandbox has no checks
        return ""
    return f"第 {number} 格出错，{reply.get('ename')}：{str(reply.get('evalue'))[:80]}"


def main():
    """Read ``{"text", "name", "limits"}`` on stdin, write the outcome as JSON on stdout."""
    asked = json.load(sys.stdin)
    limits = Limits(**asked["limits"])
    for number in (signal.SIGTERM, signal.SIGALRM):  # the kernel is ended too
        signal.signal(number, _stop)
    signal.alarm(int(limits.seconds) + 60)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: no worker outlives its grader
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (max(limits.memory, 4 << 30), hard))
    print(json.dumps(examine_notebook(asked["text"], asked["name"], limits)))


def _stop(number, frame):
    raise Gone("评分超时" if number == signal.SIGALRM else "评分被中断")


def request(text, name, limits):
    """What :func:`main` reads, as text."""
    return json.dumps({"text": text, "name": name, "limits": asdict(limits)})


if __name__ == "__main__":
    main()
