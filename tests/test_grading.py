"""Grading: whatever a submission does costs only its own row, and no trick passes a check."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from submissions import ALL, CHECKED, NONE, notebook, parts, submissions

from d2lutils.__main__ import main
from d2lutils.exercises.expect import Wrong
from d2lutils.grading import Limits, grade_folder, grade_one, load_rows, sandbox, values
from d2lutils.grading.worker import examine_notebook

BEST = next(kind for kind in sandbox.KINDS if sandbox.works(kind))
LIMITS = Limits(call_seconds=4, seconds=60, memory=3 << 30, sandbox=BEST)
GRADE = ["grade", "--sandbox", BEST]

needs_bubblewrap = pytest.mark.skipif(
    BEST != "bubblewrap", reason="BUBBLEWRAP MISSING: malicious submissions are not tried without it"
)


@pytest.fixture
def listener():
    """A port of this machine that nobody may reach."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


@needs_bubblewrap
def test_two_hundred_submissions_of_every_kind(tmp_path, listener, monkeypatch):
    monkeypatch.setenv("CLASS_SECRET", "token")
    monkeypatch.setenv("TQDM_DISABLE", "1")
    folder, port = tmp_path / "class", listener.getsockname()[1]
    made = submissions(200, folder, port)
    for name, text, _ in made:
        path = folder / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode(errors="surrogateescape"))
    before = {path: path.read_bytes() for path in folder.rglob("*.ipynb")}
    book = Path(sandbox.__file__).parents[1] / "__init__.py"
    ours = book.read_bytes()
    rows = {row["file"].removesuffix(".ipynb"): row for row in grade_folder(folder, tmp_path / "marks", LIMITS)}
    assert len(rows) == len(made) == 200
    for name, _, expected in made:
        results = rows[name]["results"]
        if expected is None:  # a cheat
            assert "passed" not in results.values(), name
            assert set(results) == set(CHECKED)
        else:
            assert results == expected, (name, rows[name])
    with pytest.raises(BlockingIOError):
        listener.accept()
    assert {path: path.read_bytes() for path in folder.rglob("*.ipynb")} == before
    assert book.read_bytes() == ours
    for name in ("looks at the others", "looks for sockets", "looks for the solutions", "unmounts"):
        assert "AssertionError" in rows[name]["note"], name
    for name in ("writes into the book", "turns the kernel's knobs", "fills the root"):
        assert "Read-only" in rows[name]["note"], name
    assert "不该写的地方" in rows["piles up files"]["note"]
    assert "KeyError" in rows["looks for secrets"]["note"]
    assert "进程太多" in rows["starts many processes"]["note"]
    assert "合起来用完了内存" in rows["fills memory with its children"]["note"]
    assert len(rows["speaks in broken tongues"]["remarks"]["rnn-1"]) <= 400
    assert "死了" in rows["exits"]["note"]
    assert "停不下来" in rows["cannot be interrupted"]["note"]
    assert rows["loops"]["note"] == "第 2 格超过 4 秒"
    assert rows["crashes"]["note"] == "第 2 格出错，ZeroDivisionError：division by zero"
    assert "太大了" in rows["answers with a gigabyte"]["remarks"]["rnn-1"]
    assert "运行超过 4 秒" in rows["answers never"]["remarks"]["rnn-1"]
    assert "没有找到练习" in rows["no exercises"]["note"]
    assert "损坏了，或者不是笔记本" in rows["binary"]["note"]


@pytest.fixture
def small(tmp_path):
    """A folder of four submissions, one of them with a name that a spreadsheet would run."""
    right, stubs = parts(), parts(solved=False)
    texts = {"anna": notebook(*right), "=b": notebook(*stubs), "c/<i>": notebook(*right[:3]), "d": "no notebook"}
    for name, text in texts.items():
        path = tmp_path / "class" / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "class"


def test_the_command_writes_a_table_and_a_page_and_goes_on(small, capsys, monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    assert main([*GRADE, str(small)]) == 0
    out = small / "grades"
    assert capsys.readouterr().out.startswith(f"4 notebooks: {out / 'grades.csv'}")
    with (out / "grades.csv").open(encoding="utf-8-sig", newline="") as file:
        table = {row["file"]: row for row in csv.DictReader(file)}
    assert list(table) == ["'=b.ipynb", "anna.ipynb", "c/<i>.ipynb", "d.ipynb"]
    assert [table[name]["passed"] for name in table] == ["0", "6", "1", "0"]
    assert table["c/<i>.ipynb"]["rnn-2"] == "unanswered"
    page = (out / "grades.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert "通过 6 题的 1 份" in page
    assert "c/&lt;i&gt;.ipynb" in page
    assert "http" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    ).replace("https://matplotlib.org", "")
    # Again: nothing is graded twice, a new one is, a changed one too, one that is gone goes.
    times = {name: row["seconds"] for name, row in load_rows(out).items()}
    (small / "d.ipynb").unlink()
    (small / "=b.ipynb").write_text(notebook(*parts()), encoding="utf-8")
    with (out / "rows.jsonl").open("a") as file:
        file.write('{"file": "cut o')
    assert main([*GRADE, str(small)]) == 0
    rows = load_rows(out)
    assert sorted(rows) == ["=b.ipynb", "anna.ipynb", "c/<i>.ipynb"]
    assert rows["=b.ipynb"]["results"] == ALL
    assert rows["anna.ipynb"]["seconds"] == times["anna.ipynb"]


def test_ctrl_c_keeps_what_is_done(tmp_path):
    folder = tmp_path / "class"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number:02}.ipynb").write_text(notebook(*parts()), encoding="utf-8")
    command = [sys.executable, "-m", "d2lutils", *GRADE, str(folder), "--workers", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "TQDM_DISABLE": "1"})
    rows = folder / "grades" / "rows.jsonl"
    while not rows.exists() or rows.read_text().count("\n") < 2:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on from there" in out
    done = len(load_rows(folder / "grades"))
    assert 2 <= done < 12
    assert main([*GRADE, str(folder)]) == 0
    assert all(row["results"] == ALL for row in load_rows(folder / "grades").values())


def test_the_same_unit_of_work_runs_on_dask(small):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        rows = grade_folder(small, small / "grades", LIMITS, scheduler=cluster.scheduler_address)
    assert [sum(s == "passed" for s in row["results"].values()) for row in rows] == [0, 6, 1, 0]


def test_without_a_sandbox_nothing_runs_unless_trusted(small, monkeypatch, capsys):
    trusting = Limits(sandbox="none")
    assert grade_one(notebook(*parts(solved=False)), "x.ipynb", trusting)["results"] == NONE
    monkeypatch.setattr(sandbox, "works", lambda kind: kind == "none")
    assert main(["grade", str(small)]) == 2
    assert "apt install bubblewrap" in capsys.readouterr().err
    outcome = examine_notebook(notebook(*parts()), "x.ipynb", Limits())
    assert set(outcome["results"].values()) == {"lost"}
    assert "没有 bubblewrap" in outcome["note"]


def test_links_results_and_hidden_files_are_no_submissions(small):
    (small / "link.ipynb").symlink_to(small / "anna.ipynb")
    (small / "loop.ipynb").symlink_to(small / "loop.ipynb")
    (small / ".ipynb_checkpoints").mkdir()
    (small / ".ipynb_checkpoints" / "anna.ipynb").write_text("{}")
    (small / "out").mkdir()
    (small / "out" / "old.ipynb").write_text("{}")
    trusting = Limits(sandbox="none")
    rows = grade_folder(small, small / "out", trusting)
    assert [row["file"] for row in rows] == ["=b.ipynb", "anna.ipynb", "c/<i>.ipynb", "d.ipynb"]
    assert len(grade_folder(small, small, trusting)) == 5  # its own folder holds results, but is no result


def test_damaged_results_are_graded_again_and_two_graders_keep_apart(small):
    out, trusting = small / "grades", Limits(sandbox="none")
    out.mkdir()
    (out / "rows.jsonl").write_bytes(b'{"file": "anna.ipynb"}\n\xff\xfe\n[1]\n' + b"[" * 100_000)
    assert len(grade_folder(small, out, trusting)) == 4
    with FileLock(out / ".lock"), pytest.raises(ValueError, match="another grader is at work"):
        grade_folder(small, out, trusting)


def test_other_limits_are_other_marks(small):
    short = Limits(sandbox="none", seconds=0.2)
    assert load_one(small, short) == {"lost"}
    assert load_one(small, Limits(sandbox="none")) == {"passed"}


def load_one(folder, limits):
    rows = {row["file"]: row for row in grade_folder(folder, folder / "grades", limits)}
    return set(rows["anna.ipynb"]["results"].values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such-folder"], "no-such-folder is not a folder"),
        (["."], "there is no notebook"),
        ([".", "--memory", "0"], "above 0"),
        ([".", "--seconds", "x"], "above 0"),
    ],
)
def test_bad_input_is_a_sentence(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    try:
        code = main(["grade", "--sandbox", "none", *arguments])
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    assert message in capsys.readouterr().err


def test_values_travel_both_ways():
    value = {
        "array": np.arange(6.0).reshape(2, 3),
        "numbers": [1, 2.5, True, None, "字", float("inf")],
        (1, 2): {3},
        "scalar": np.float32(0.5),
        "empty": np.zeros((0, 3), dtype=int),
        "text": np.array(["a", "bc"]),
    }
    back = values.decode(values.encode(value))
    np.testing.assert_array_equal(back.pop("array"), value.pop("array"))
    np.testing.assert_array_equal(back.pop("text"), value.pop("text"))
    assert back.pop("empty").shape == value.pop("empty").shape
    assert back == value
    assert values.decode(values.encode(object())) != values.decode(values.encode(object()))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"array": 3}',
        '{"array": ["O", [1], ""]}',
        '{"evil": []}',
        "[" * 100_000,
        '{"array": ["<f8", [20000000, 0], ""]}',
    ],
)
def test_a_forged_value_is_an_error_and_nothing_else(text):
    with pytest.raises(ValueError, match=r".+"):
        values.decode(text)
    with pytest.raises(Wrong, match="答案传不过来"):
        values.Proxy(lambda arguments: text)(1)


def test_an_answer_is_called_by_name():
    space = {"double": lambda x: 2 * x, "stub": lambda x: ..., "fails": lambda x: 1 / 0}
    ask = {name: (lambda arguments, name=name: values.answer(name, arguments, space)) for name in [*space, "missing"]}
    assert values.Proxy(ask["double"])(np.ones(2)).tolist() == [2, 2]
    with pytest.raises(Wrong, match="ZeroDivisionError"):
        values.Proxy(ask["fails"])(1)
    for name in ("stub", "missing"):
        assert json.loads(ask[name](values.encode([[1], {}])))[0] == "unanswered"
