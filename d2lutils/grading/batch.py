"""Grade a folder of notebooks: several at once, in any order, stopped and gone on with at will."""

import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path

from .. import exercises
from ..bar import progress_bar
from .worker import request

__all__ = ["grade_folder", "grade_one", "load_rows", "rubric"]

ROWS = "rows.jsonl"
LARGEST = 20 << 20  # bytes of a notebook
_running = set()  # worker processes of this process


def grade_one(text, name, limits, hidden=()):
    """The unit of work, the same here and on another machine: grade one notebook in a process of its own.

    Args:
        text: of the notebook. name: its file name. limits: :class:`~d2lutils.grading.worker.Limits`.
        hidden: folders that the submission must not see.

    Returns:
        dict as of :func:`~d2lutils.grading.worker.examine_notebook`.
    """
    command = [sys.executable, "-m", "d2lutils.grading.worker"]
    pipe, quiet = subprocess.PIPE, subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=quiet, text=True, start_new_session=True)
    _running.add(process)
    try:
        out, _ = process.communicate(request(text, name, limits, hidden), timeout=2 * limits.seconds + 120)
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
    """
    folder, out = Path(folder), Path(out)
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}; give the folder that holds the submitted notebooks")
    paths = sorted(p for p in folder.rglob("*.ipynb") if _counts(p, folder, out))
    if not paths:
        raise ValueError(f"there is no notebook (.ipynb) below {folder}")
    out.mkdir(parents=True, exist_ok=True)
    rows = {} if again else load_rows(out)
    todo = [path for path in paths if (name := _name(path, folder)) not in rows or rows[name]["key"] != _key(path)]
    rows = {name: rows[name] for path in paths if path not in set(todo) and (name := _name(path, folder))}
    with (out / ROWS).open("w", encoding="utf-8") as kept, progress_bar(len(todo), "notebook") as bar:
        kept.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows.values())
        kept.flush()
        with closing(_outcomes(todo, limits, [folder.resolve(), out.resolve()], workers, scheduler)) as outcomes:
            for path, outcome in outcomes:
                row = {"file": _name(path, folder), "key": _key(path), **outcome}
                rows[row["file"]] = row
                kept.write(json.dumps(row, ensure_ascii=False) + "\n")
                kept.flush()
                bar.update()
    return [rows[name] for name in sorted(rows)]


def load_rows(out):
    """Rows by file name; a line cut off by a crash is left out."""
    rows = {}
    path = Path(out, ROWS)
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            row = json.loads(line)
            rows[row["file"]] = row
        except (ValueError, KeyError, TypeError):
            continue
    return rows


def rubric():
    """sha256 over the modules of the checks: other checks, other marks."""
    files = sorted(Path(exercises.__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def _outcomes(paths, limits, hidden, workers, scheduler):
    """Pairs (path, outcome) as they come."""

    def work(path):
        return grade_one(_text(path), path.name, limits, hidden)

    if scheduler:
        yield from _on_dask(paths, limits, hidden, scheduler)
        return
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        waiting = {pool.submit(work, path): path for path in paths}
        try:
            while waiting:
                for done in wait(waiting, return_when=FIRST_COMPLETED).done:
                    yield waiting.pop(done), done.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(_running):
                _end(process)


def _on_dask(paths, limits, hidden, scheduler):
    """The same unit of work on a Dask cluster; every machine of it needs this version of d2lutils."""
    from dask.distributed import Client, as_completed

    with Client(scheduler) as client:
        waiting = {client.submit(grade_one, _text(p), p.name, limits, hidden, pure=False): p for p in paths}
        for done in as_completed(list(waiting)):
            failed = done.status != "finished"
            yield waiting[done], _nothing(f"机器出错：{done.exception()}") if failed else done.result()


def _counts(path, folder, out):
    inside = path.relative_to(folder).parts
    return path.is_file() and out not in path.parents and not any(part.startswith(".") for part in inside)


def _name(path, folder):
    return path.relative_to(folder).as_posix()


def _text(path):
    """A notebook's text; what cannot be read or is too large is graded as no notebook."""
    try:
        if path.stat().st_size > LARGEST:
            return f"larger than {LARGEST >> 20} MiB"
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return str(error)


def _key(path):
    return hashlib.sha256(f"{rubric()}\0{_text(path)}".encode(errors="replace")).hexdigest()


def _nothing(note):
    return {"results": {}, "hints": {}, "note": note, "seconds": 0.0, "sandbox": ""}


def _end(process):
    """End a worker; it ends its kernel."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
