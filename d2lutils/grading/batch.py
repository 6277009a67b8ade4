"""Grade a folder of notebooks: several at once, in any order, stopped and gone on with at will."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

from .. import exercises
from ..bar import progress_bar
from .worker import OVERSIZE, request

__all__ = ["grade_folder", "grade_one", "load_rows", "rubric"]

ROWS = "rows.jsonl"
FIELDS = ("file", "key", "results", "remarks", "note", "seconds", "sandbox")
LARGEST = 20 << 20  # bytes of a notebook
_running = set()  # worker processes of this process


def grade_one(text, name, limits):
    """The unit of work, the same here and on another machine: grade one notebook in a process of its own.

    Args:
        text: of the notebook. name: its file name. limits: :class:`~d2lutils.grading.worker.Limits`.

    Returns:
        dict as of :func:`~d2lutils.grading.worker.examine_notebook`; ``transient`` if it is worth another try.
    """
    command = [sys.executable, "-m", "d2lutils.grading.worker"]
    pipe, quiet = subprocess.PIPE, subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=quiet, text=True, start_new_session=True)
    _running.add(process)
    try:
        out, _ = process.communicate(request(text, name, limits), timeout=2 * limits.seconds + 120)
        return json.loads(out)
    except subprocess.TimeoutExpired:
        return _nothing("评分的进程超时")
    except ValueError:
        return _nothing(f"评分的进程中断（退出码 {process.poll()}）")
    finally:
        _end(process)
        _running.discard(process)


def grade_folder(folder, out, limits, workers=None, scheduler=None, again=False):
    """Grade every notebook below a folder that has not been graded yet.

    Args:
        folder: of submissions. out: folder of the results. limits: as in :func:`grade_one`.
        workers: how many at once, default the number of cores. scheduler: address of a Dask scheduler instead.
        again: forget earlier results.

    Returns:
        list of rows (dicts) by file name. What was done before an interruption stays in ``out``.

    Raises:
        ValueError: the folder is none or holds no notebook, or another grader works in ``out``.
    """
    folder, out = Path(folder), Path(out)
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder; give the folder that holds the submitted notebooks")
    paths = {
        _name(path, folder): path
        for path in sorted(folder.rglob("*.[iI][pP][yY][nN][bB]"))
        if _counts(path, folder, out)
    }
    if not paths:
        raise ValueError(f"there is no notebook (.ipynb) below {folder}")
    out.mkdir(parents=True, exist_ok=True)
    with _alone(out):
        keys = {name: _key(path, limits) for name, path in paths.items()}
        known = {} if again else load_rows(out)
        rows = {name: known[name] for name in paths if name in known and known[name]["key"] == keys[name]}
        todo = {name: path for name, path in paths.items() if name not in rows}
        _keep(out, rows)
        with (
            (out / ROWS).open("a", encoding="utf-8") as kept,
            progress_bar(len(todo), "notebook") as bar,
            closing(_outcomes(todo, limits, workers, scheduler)) as outcomes,
        ):
            for name, outcome in outcomes:
                key = "" if outcome.pop("transient", False) else keys[name]
                rows[name] = {"file": name, "key": key, **outcome}
                kept.write(json.dumps(rows[name]) + "\n")
                kept.flush()
                bar.update()
    return [rows[name] for name in sorted(rows)]


def load_rows(out):
    """Rows by file name; a line cut off by a crash is left out."""
    rows, path = {}, Path(out, ROWS)
    for line in path.read_bytes().split(b"\n") if path.exists() else ():
        try:
            row = json.loads(line)
            rows[row["file"]] = {field: row[field] for field in FIELDS}
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    return rows


def _keep(out, rows):
    """Write the rows that stay, in one step."""
    part = out / f"{ROWS}.part"
    part.write_text("".join(json.dumps(row) + "\n" for row in rows.values()), encoding="utf-8")
    part.replace(out / ROWS)


@contextmanager
def _alone(out):
    from filelock import FileLock, Timeout

    try:
        with FileLock(out / ".lock", timeout=0):
            yield
    except Timeout:
        raise ValueError(f"another grader is at work in {out}; wait for it or give another --out") from None


@cache
def rubric():
    """sha256 over the modules of the checks: other checks, other marks."""
    files = sorted(Path(exercises.__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def _outcomes(paths, limits, workers, scheduler):
    """Pairs (name, outcome) as they come."""
    if scheduler:
        yield from _on_dask(paths, limits, scheduler)
        return
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        waiting = {pool.submit(lambda path: grade_one(_text(path), path.name, limits), p): n for n, p in paths.items()}
        try:
            while waiting:
                for done in wait(waiting, return_when=FIRST_COMPLETED).done:
                    yield waiting.pop(done), done.result()
        finally:
            if waiting and threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave workers behind
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(_running):
                _end(process)


def _on_dask(paths, limits, scheduler):
    """The same unit of work on a Dask cluster; every machine of it needs this version of d2lutils."""
    from dask.distributed import Client, as_completed

    with Client(scheduler) as client:
        waiting = {client.submit(grade_one, _text(p), p.name, limits, pure=False): name for name, p in paths.items()}
        for done in as_completed(list(waiting)):
            failed = done.status != "finished"
            yield waiting[done], _nothing(f"机器出错：{done.exception()}") if failed else done.result()


def _counts(path, folder, out):
    """A submission: a file, not hidden, not a link to somebody else's, not our own result."""
    inside = path.relative_to(folder).parts
    if path.is_symlink() or not path.is_file() or any(part.startswith(".") for part in inside):
        return False
    ours = out.resolve() != folder.resolve() and out.resolve() in path.resolve().parents
    return not (ours and folder.resolve() in out.resolve().parents)


def _name(path, folder):
    return path.relative_to(folder).as_posix()


def _text(path):
    """A notebook's text; what cannot be read is graded as no notebook."""
    try:
        if path.stat().st_size > LARGEST:
            return OVERSIZE
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return str(error)


def _key(path, limits):
    """What a mark depends on: the notebook, the checks, the limits."""
    return hashlib.sha256(f"{rubric()}\0{limits}\0{_text(path)}".encode(errors="replace")).hexdigest()


def _nothing(note):
    return {"results": {}, "remarks": {}, "note": note, "seconds": 0.0, "sandbox": "", "transient": True}


def _end(process):
    """End a worker; it ends its kernel."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
