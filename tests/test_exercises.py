"""Every check: its solution passes, its stub is told apart, plausible wrong answers get the hint that fits them."""

import importlib.util
import re
import time
from pathlib import Path

import exercise_pages
import nbformat
import pytest

from d2lutils.exercises import CHAPTERS, check, examine, exercises, find, progress

WRITTEN = [name for name in CHAPTERS if (exercise_pages.SOURCES / f"{name}.md").is_file()]
CHECKED = [exercise for name in WRITTEN for exercise in exercises(name) if exercise.examiner]


@pytest.fixture(autouse=True)
def own_progress(tmp_path, monkeypatch):
    monkeypatch.setenv("D2LUTILS_PROGRESS", str(tmp_path / "progress.json"))


def answer(source, exercise):
    """What a reader's cells would leave behind: the answer and the prediction."""
    space = {}
    exec("import numpy as np\n" + source, space)
    return space[exercise.name], space.get("prediction")


def wrong_answers(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / "exercises" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.WRONG


def cases():
    for name in WRITTEN:
        for id, wrongs in wrong_answers(name).items():
            for number, (wrong, hint) in enumerate(wrongs):
                yield pytest.param(find(id), wrong, hint, id=f"{id}-wrong-{number}")


@pytest.mark.parametrize("exercise", CHECKED, ids=lambda e: e.id)
def test_the_solution_passes_and_the_stub_is_told_apart(exercise):
    found, stubs = exercise_pages.solutions(exercise.chapter)
    value, prediction = answer(found[exercise.id], exercise)
    start = time.perf_counter()
    for seed in range(10):
        result = examine(exercise, value, prediction, seed=seed)
        assert result.status == "passed", (seed, result)
        assert not exercise.predictions or "一样" in result.message
    assert time.perf_counter() - start < 20
    assert examine(exercise, *answer(stubs[exercise.id], exercise)).status == "unanswered"
    assert examine(exercise, answer(stubs[exercise.id], exercise)[0]).status == "unanswered"


@pytest.mark.parametrize(("exercise", "wrong", "hint"), list(cases()))
def test_wrong_answers_get_the_hint_that_fits_them(exercise, wrong, hint):
    for seed in range(5):
        result = examine(exercise, wrong, seed=seed)
        assert result.status == "wrong", seed
        assert re.search(hint, result.message + result.hint), (seed, result)
        assert result.message.endswith("。")


@pytest.mark.parametrize("exercise", CHECKED, ids=lambda e: e.id)
def test_no_answer_makes_a_check_raise(exercise):
    """Whatever comes back, the check finds words; and no constant passes."""
    for value in (0, 1.5, "text", [], [1, 2], {}, (), object(), float("nan"), [[1], [2, 3]], True, b"", 1j, [None] * 3):
        for guess in (value, lambda *_, value=value, **__: value):
            result = examine(exercise, guess, seed=0)
            assert result.status == "wrong", value
            assert result.message.endswith("。")
    for error in (
        ValueError("x"),
        SystemExit(3),
        RecursionError(),
        TypeError("missing 1 required positional argument"),
    ):

        def fails(*_, error=error, **__):
            raise error

        assert "抛出了" in examine(exercise, fails, seed=0).message
    assert "没有返回值" in examine(exercise, lambda *_, **__: None, seed=0).message


@pytest.mark.parametrize("name", WRITTEN)
def test_every_check_has_its_wrong_answers_and_every_exercise_its_place(name):
    items, wrongs = exercises(name), wrong_answers(name)
    assert len(items) >= 6
    assert sum(e.examiner is not None for e in items) >= 4
    assert list(wrongs) == [e.id for e in items if e.examiner]
    assert all(len(each) >= 3 for each in wrongs.values())
    text = (exercise_pages.SOURCES / f"{name}.md").read_text(encoding="utf-8")
    assert exercise_pages.HEADING.findall(text) == [e.id for e in items]
    assert len({e.name for e in items}) == len(items)
    assert all(e.stars in (1, 2, 3) and 1 <= e.minutes <= 90 and (e.stronger or not e.examiner) for e in items)
    solved = exercise_pages.solutions(name)[0]
    for e in items:
        part = text.split(f"## {e.id}\n")[1].split("\n## ")[0]
        assert (e.id in solved) == (e.examiner is not None)
        assert (f'check("{e.id}", {e.name}' in part) == (e.examiner is not None)
        assert "solution" in part


def test_there_are_enough():
    assert len(exercises()) >= 45
    assert set(WRITTEN) == set(CHAPTERS)


def test_check_speaks_counts_tries_and_remembers(capsys):
    def one_hot_steps(X, vocab_size):
        return X

    check("rnn-1")
    assert capsys.readouterr().out.startswith("○ rnn-1 还没有作答")
    check("rnn-1", one_hot_steps)
    first = capsys.readouterr().out
    check("rnn-1", one_hot_steps)
    second = capsys.readouterr().out
    assert first.startswith("✗ rnn-1 不对：")
    assert "再提示" not in first
    assert "再提示" in second
    assert "rnn-1" not in progress().passed
    check("rnn-1", answer(exercise_pages.solutions("rnn")[0]["rnn-1"], find("rnn-1"))[0])
    assert capsys.readouterr().out.startswith("✓ rnn-1 通过")
    assert "rnn-1" in progress().passed
    assert repr(progress()).startswith("■□")
    assert progress()._repr_html_().count("■") == 1


def test_questions_unknown_ids_and_missing_predictions_are_sentences(capsys):
    check("rnn-7", 3)
    check("rnn-99", 3)
    check("nonsense", 3)
    check("rnn-6", lambda starts, num_steps: 1)
    check("rnn-6", lambda starts, num_steps: 1, "也许")
    lines = capsys.readouterr().out.splitlines()
    assert "没有自动检查" in lines[0]
    assert "rnn-1 到 rnn-" in lines[1]
    assert "没有编号为 'nonsense'" in lines[2]
    assert "先写下预测" in lines[3]
    assert "预测应是" in lines[4]


def test_an_answer_cannot_change_the_checks_own_input():
    def clip_gradients(grads, theta):
        for grad in grads:
            grad[:] = 0
        return grads

    assert examine(find("rnn-3"), clip_gradients).status == "wrong"


def test_a_broken_progress_file_is_put_aside(tmp_path, capsys):
    (tmp_path / "progress.json").write_text("{", encoding="utf-8")
    assert progress().passed == {}
    assert (tmp_path / "progress.broken").read_text(encoding="utf-8") == "{"
    assert "已改名" in capsys.readouterr().out


def test_a_progress_file_that_cannot_be_written_costs_a_sentence(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("D2LUTILS_PROGRESS", str(tmp_path / "file" / "progress.json"))
    solved = answer(exercise_pages.solutions("rnn")[0]["rnn-1"], find("rnn-1"))[0]
    check("rnn-1", solved)
    out = capsys.readouterr().out
    assert "✓ rnn-1 通过" in out
    assert "没有记下来" in out


def test_the_students_notebook_keeps_the_stubs_and_no_solution():
    made = exercise_pages.student("rnn")
    text = "\n".join(cell.source for cell in made.cells)
    found, stubs = exercise_pages.solutions("rnn")
    assert all(stub in text for stub in stubs.values())
    assert not any(solution.strip() in text for solution in found.values())
    assert "参考答案" not in text
    assert "## 1　按时间步排好的独热编码" in text
    assert "循环神经网络 · rnn-1 · 编程 · ★☆☆ · 约 8 分钟" in text


def test_the_books_page_folds_solutions_as_text():
    made = exercise_pages.page("rnn")
    folded = [cell.source for cell in made.cells if cell.source.startswith('<details class="solution">')]
    assert len(folded) == len(exercises("rnn"))
    assert all(text.rstrip().endswith("</details>") for text in folded)
    code = "\n".join(cell.source for cell in made.cells if cell.cell_type == "code")
    assert not any(solution.strip() in code for solution in exercise_pages.solutions("rnn")[0].values())


@pytest.mark.parametrize("name", CHAPTERS)
def test_the_complete_notebook_passes_every_check(name, tmp_path, monkeypatch):
    monkeypatch.setattr(exercise_pages, "ROOT", tmp_path)
    monkeypatch.setattr(exercise_pages, "BUILD", tmp_path / "build")
    notebook = nbformat.read(exercise_pages.write("solutions", name), as_version=4)
    said = [o.text for c in notebook.cells if "check(" in c.source for o in c.get("outputs", ()) if "text" in o]
    assert all(text.startswith("✓ ") for text in said)
    assert len(said) == sum(e.examiner is not None for e in exercises(name))
