"""Sources and notebooks say the same, every chapter runs, and running it twice gives the same bytes."""

import json
import shutil

import nbformat
import pytest
from conftest import ROOT

import notebooks

FAST_LIMIT = 60  # seconds on a busy machine; the budget on a quiet one with 2 cores is 15

SOURCE = """---
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# 玩具章

```{code-cell} ipython3
:tags: [parameters]

fast = False
```

```{code-cell} ipython3
print("fast" if fast else "full")
```
"""


@pytest.mark.parametrize("name", notebooks.names())
def test_stored_notebook_is_fresh(name):
    assert notebooks.check(name) == []


def test_every_notebook_has_a_source_and_a_place_in_the_book():
    assert {path.stem for path in notebooks.NOTEBOOKS.glob("*.ipynb")} == set(notebooks.names())
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    assert all(f"notebooks/{name}" in toc for name in notebooks.names())


@pytest.mark.parametrize("name", notebooks.names())
def test_chapter_runs_offline_in_seconds_and_repeats_itself(name, tmp_path, empty_cache):
    """No data folder, an empty cache: the fast setting must live on the samples alone."""
    if kernel := notebooks.missing_kernel(name):
        pytest.skip(f"KERNEL MISSING: {name} needs the kernel {kernel!r}; run `make mxnet`")
    seconds = [notebooks.execute(name, tmp_path / f"{run}.ipynb", fast=True) for run in (1, 2)]
    first, second = (_without_timings(tmp_path / f"{run}.ipynb") for run in (1, 2))
    assert first == second
    assert not empty_cache.exists()
    print(f"{name}: {min(seconds)} s in the fast setting")
    assert min(seconds) < FAST_LIMIT


def _without_timings(path):
    """The notebook's JSON without dates, durations and the outputs of cells tagged ``timing`` (gensim's too)."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for timed in ("date", "seconds", "outputs_sha256"):
        del notebook["metadata"]["d2lutils"][timed]
    for cell in notebook["cells"]:
        if "timing" in cell["metadata"].get("tags", ()):
            cell["outputs"] = []
    return json.dumps(notebook, ensure_ascii=False)


@pytest.fixture
def workshop(tmp_path, monkeypatch):
    """A book of one toy chapter in a folder of its own, executed once."""
    for folder in ("CHAPTERS", "NOTEBOOKS"):
        monkeypatch.setattr(notebooks, folder, tmp_path / folder.lower())
        (tmp_path / folder.lower()).mkdir()
    source = tmp_path / "chapters" / "toy.md"
    source.write_text(SOURCE, encoding="utf-8")
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    shutil.copy(ROOT / "_toc.yml", tmp_path)
    notebooks.execute("toy")
    assert notebooks.check("toy") == []
    return source


def test_fast_parameters_reach_the_chapter_and_leave_no_trace(workshop, tmp_path):
    notebooks.execute("toy", tmp_path / "fast.ipynb", fast=True)
    fast = nbformat.read(tmp_path / "fast.ipynb", as_version=4)
    assert fast.cells[2].outputs[0].text == "fast\n"
    assert len(fast.cells) == 3


def test_check_finds_code_that_is_newer_than_its_output(workshop):
    workshop.write_text(SOURCE.replace('"full"', '"other"'), encoding="utf-8")
    assert "older than the code" in "".join(notebooks.check("toy"))
    assert "older than the code" in notebooks.sync("toy")


def test_check_finds_another_kernel(workshop):
    workshop.write_text(SOURCE.replace("name: python3", "name: mxnet"), encoding="utf-8")
    assert "older than the code" in "".join(notebooks.check("toy"))


def test_check_asks_for_the_fast_setting(workshop):
    workshop.write_text(SOURCE.replace("fast = False", "fast = 0"), encoding="utf-8")
    assert "says fast = False" in "".join(notebooks.check("toy"))


def test_sync_carries_prose_over_and_keeps_outputs(workshop):
    workshop.write_text(SOURCE.replace("玩具章", "另一章") + "\n新的结尾。\n", encoding="utf-8")
    assert "differ" in "".join(notebooks.check("toy"))
    assert notebooks.sync("toy") is None
    assert notebooks.check("toy") == []
    stored = nbformat.read(notebooks.NOTEBOOKS / "toy.ipynb", as_version=4)
    assert stored.cells[0].source == "# 另一章"
    assert stored.cells[3].source == "新的结尾。"
    assert stored.cells[2].outputs[0].text == "full\n"


def test_check_finds_cells_never_executed_errors_fast_runs_and_missing_notebooks(workshop):
    path = notebooks.NOTEBOOKS / "toy.ipynb"
    stored = nbformat.read(path, as_version=4)
    stored.cells[1].execution_count = None
    stored.cells[2].outputs = [nbformat.v4.new_output("stream", name="stderr", text="warning")]
    stored.metadata["d2lutils"]["fast"] = True
    nbformat.write(stored, path)
    problems = "\n".join(notebooks.check("toy"))
    for problem in ("never executed", "an error or a warning", "cleared or changed since"):
        assert problem in problems
    assert "cleared or changed since" in notebooks.sync("toy")
    stored.metadata["d2lutils"]["outputs_sha256"] = notebooks.outputs_hash(stored)
    nbformat.write(stored, path)
    assert "fast setting" in "".join(notebooks.check("toy"))
    path.unlink()
    assert "is missing" in "".join(notebooks.check("toy"))
    assert "no notebook yet" in notebooks.sync("toy")


def test_check_finds_figures_without_alternative_text(workshop):
    path = notebooks.NOTEBOOKS / "toy.ipynb"
    stored = nbformat.read(path, as_version=4)
    stored.cells[2].outputs = [nbformat.v4.new_output("display_data", {"image/svg+xml": "<svg/>"})]
    nbformat.write(stored, path)
    assert "without alternative text" in "".join(notebooks.check("toy"))


@pytest.mark.parametrize("picture", ["![](picture.svg)", "<img src='picture.svg'>", '<img alt="" src="picture.svg">'])
def test_check_finds_pictures_in_prose_without_alternative_text(workshop, picture):
    workshop.write_text(SOURCE.replace("玩具章", f"玩具章\n\n{picture}"), encoding="utf-8")
    assert notebooks.sync("toy") is None
    assert "without alternative text" in "".join(notebooks.check("toy"))


def test_check_finds_code_wider_than_the_page(workshop):
    for line, wide in (("x" * 87, True), ("x" * 86, False), ("字" * 43 + "x", True), ("字" * 43, False)):
        assert bool(notebooks.too_wide(line)) == wide
    workshop.write_text(SOURCE.replace('"full"', f'"{"x" * 80}"'), encoding="utf-8")
    notebooks.execute("toy")
    assert "wider than 86" in "".join(notebooks.check("toy"))


def test_the_command_line_fails_where_a_chapter_is_not_fresh(workshop, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["notebooks.py", "check"])
    with pytest.raises(SystemExit) as good:
        notebooks.main()
    assert good.value.code is None
    workshop.write_text(SOURCE.replace('"full"', '"other"'), encoding="utf-8")
    with pytest.raises(SystemExit) as bad:
        notebooks.main()
    assert "older than the code" in bad.value.code


def test_a_failing_chapter_leaves_the_stored_notebook_alone(workshop):
    before = (notebooks.NOTEBOOKS / "toy.ipynb").read_bytes()
    workshop.write_text(SOURCE.replace("print(", "raise ValueError("), encoding="utf-8")
    with pytest.raises(Exception, match="ValueError"):
        notebooks.execute("toy")
    assert (notebooks.NOTEBOOKS / "toy.ipynb").read_bytes() == before
    assert [path.name for path in notebooks.NOTEBOOKS.iterdir()] == ["toy.ipynb"]


def test_a_chapter_without_its_kernel_is_left_out(workshop, monkeypatch, capsys):
    workshop.write_text(SOURCE.replace("name: python3", "name: no-such-kernel"), encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["notebooks.py", "execute"])
    with pytest.raises(SystemExit) as done:
        notebooks.main()
    assert done.value.code is None
    assert "toy: LEFT OUT, there is no kernel 'no-such-kernel'" in capsys.readouterr().out


def test_definitions_are_the_chapters_functions_without_its_statements(workshop):
    workshop.write_text(SOURCE.replace('print("fast"', 'import math\n\ndef half(x):\n    return x / 2\n\nprint("fast"'))
    space = {}
    exec(notebooks.definitions("toy"), space)
    assert space["half"](4) == 2
    assert "fast" not in space


def test_unknown_chapters_are_named(workshop):
    with pytest.raises(SystemExit, match=r"no chapter 'tyo'.*toy"):
        notebooks.build("tyo")


def test_the_repository_address_stands_in_one_place(tmp_path, monkeypatch):
    shutil.copy(ROOT / "_config.yml", tmp_path)
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    (tmp_path / "book").mkdir()
    shutil.copy(ROOT / "book" / "setup_cell.ipy", tmp_path / "book")
    notebooks.set_repository("https://github.com/me/my-book.git/")
    assert "git+https://github.com/me/my-book" in notebooks.setup_cell()
    with pytest.raises(SystemExit, match="must look like"):
        notebooks.set_repository("github.com/me")
