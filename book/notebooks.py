"""Turn ``book/chapters/*.md`` (what people write) into ``notebooks/*.ipynb`` (what machines execute).

    python book/notebooks.py sync              carry changed prose over; outputs stay, as long as the code is the same
    python book/notebooks.py execute [NAME …]  execute in the full setting and store the outputs
    python book/notebooks.py repository URL    set the repository's address in _config.yml and the set-up cells
    python book/notebooks.py check             prove that both sides say the same and that every output is fresh

A notebook remembers a hash of the code that made its outputs and one of the outputs themselves, so neither can be
changed by hand unnoticed. A failing chapter leaves the stored notebook as it was.
"""

import argparse
import ast
import hashlib
import json
import os
import re
import sys
import tempfile
import time
import unicodedata
from datetime import date
from pathlib import Path

import exercise_pages
import jupytext
import nbformat
import yaml

from d2lutils import __version__

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS, NOTEBOOKS = ROOT / "book" / "chapters", ROOT / "notebooks"
EXERCISES = "-exercises"  # the page of a chapter's exercises is NAME-exercises
QUIET = ["--IPKernelApp.log_level=ERROR"]  # of kernels, which warn of every new release's concerns
WIDTH = 86  # columns of code that fit the page
IMAGES = ("image/svg+xml", "image/png", "image/jpeg")
NAMELESS = re.compile(r"""!\[\s*\]\(|<img(?![^>]*\balt=["'][^"'])""")  # pictures in prose without alternative text


def names():
    """The chapters and their exercises in the book's order, then whatever the table of contents does not mention."""
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    found = sorted(path.stem for path in CHAPTERS.glob("*.md"))
    found += [name + EXERCISES for name in found if (CHAPTERS.parent / "exercises" / f"{name}.md").is_file()]
    return sorted(found, key=lambda name: (toc.find(f"notebooks/{name}\n") % len(toc), name))


def build(name):
    """The notebook that a source stands for, without outputs."""
    if name not in names():
        sys.exit(f"there is no chapter {name!r} in {CHAPTERS.relative_to(ROOT)}; there are: {', '.join(names())}")
    chapter = name.removesuffix(EXERCISES)
    notebook = jupytext.read(CHAPTERS / f"{name}.md") if chapter == name else exercise_pages.page(chapter)
    return finish(notebook)


def finish(notebook):
    """Give a notebook made from a source its metadata, cell names and set-up cell."""
    kernel = notebook.metadata["kernelspec"]
    notebook.metadata = nbformat.NotebookNode(kernelspec=kernel, language_info={"name": "python"})
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:03d}"
        if "setup" in cell.metadata.get("tags", ()):
            cell.source = setup_cell(kernel["name"])
    return notebook


def definitions(name):
    """Source of the imports, functions and classes of a chapter, so that tests and benchmarks use the chapter's own."""
    kept = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    code = [c.source for c in code_cells(build(name)) if not c.source.startswith("%%")]
    code = [re.sub(r"(?m)^[%!].*$", "", source) for source in code]
    return "\n".join(ast.unparse(node) for source in code for node in ast.parse(source).body if isinstance(node, kept))


def setup_cell(kernel="python3"):
    """The code of a set-up cell with the repository's address, which stands in _config.yml alone, and our version."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    kind = "setup_cell_mxnet" if kernel == "mxnet" else "setup_cell"
    text = (ROOT / "book" / f"{kind}.ipy").read_text(encoding="utf-8")
    return text.replace("{repository}", config["repository"]["url"]).replace("{version}", __version__).strip()


def code_cells(notebook):
    """The code cells that make outputs: without papermill's own, and without the set-up cell, idle outside Colab."""
    passive = {"setup", "injected-parameters"}
    return [c for c in notebook.cells if c.cell_type == "code" and not passive & set(c.metadata.get("tags", ()))]


def code_hash(notebook):
    """sha256 over the kernel's name and the code cells."""
    return _sha256([notebook.metadata["kernelspec"]["name"], *(cell.source for cell in code_cells(notebook))])


def outputs_hash(notebook):
    """sha256 over execution counts and outputs."""
    return _sha256([json.dumps([c.execution_count, c.outputs], sort_keys=True) for c in code_cells(notebook)])


def _sha256(parts):
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def execute(name, output=None, fast=False):
    """Execute one chapter and store the notebook atomically.

    Args:
        name: chapter. output: path, default ``notebooks/NAME.ipynb``. fast: the setting of CI (samples, seconds).
    """
    import papermill

    notebook = build(name)
    output = Path(output or NOTEBOOKS / f"{name}.ipynb")
    with tempfile.TemporaryDirectory() as folder:
        plain, done = Path(folder, f"{name}.ipynb"), Path(folder, f"{name}.out.ipynb")
        nbformat.write(notebook, plain)
        os.environ["TQDM_DISABLE"] = "1"  # bars are for people at a keyboard
        os.environ["D2LUTILS_PROGRESS"] = str(Path(folder, "progress.json"))  # the page shows a newcomer's
        if own := os.environ.get("D2LUTILS_DATA"):  # the kernel runs in another folder
            os.environ["D2LUTILS_DATA"] = str(Path(own).expanduser().absolute())
        start = time.perf_counter()
        papermill.execute_notebook(
            plain,
            done,
            parameters={"fast": True} if fast else {},
            cwd=NOTEBOOKS,
            progress_bar=sys.stderr.isatty(),
            extra_arguments=QUIET,
        )
        executed = nbformat.read(done, as_version=4)
    _take_outputs(notebook, executed)
    notebook.metadata["d2lutils"] = {
        "code_sha256": code_hash(notebook),
        "outputs_sha256": outputs_hash(notebook),
        "date": date.today().isoformat(),
        "fast": fast,
        "seconds": round(time.perf_counter() - start, 1),
    }
    _write(notebook, output)
    return notebook.metadata["d2lutils"]["seconds"]


def missing_kernel(name):
    """Name of the kernel that a chapter needs and this environment lacks, else None."""
    from jupyter_client.kernelspec import KernelSpecManager

    kernel = build(name).metadata["kernelspec"]["name"]
    return None if kernel in KernelSpecManager().find_kernel_specs() else kernel


def sync(name):
    """Carry changed prose into the stored notebook; refuse where code changed, since its outputs would lie."""
    path, fresh = NOTEBOOKS / f"{name}.ipynb", build(name)
    if not path.is_file():
        return f"{name}: no notebook yet; run make execute CHAPTER={name}"
    stored = nbformat.read(path, as_version=4)
    if stale := _staleness(stored, fresh):
        return f"{name}: {stale}; run make execute CHAPTER={name}"
    _take_outputs(fresh, stored)
    fresh.metadata["d2lutils"] = stored.metadata["d2lutils"]
    _write(fresh, path)
    return None


def check(name):
    """List what is wrong with a chapter: sides that differ, cells without or with old output, pictures without text."""
    path, fresh = NOTEBOOKS / f"{name}.ipynb", build(name)
    if not path.is_file():
        return [f"{name}: notebooks/{name}.ipynb is missing; run make execute CHAPTER={name}"]
    stored = nbformat.read(path, as_version=4)
    problems = []
    if _face(fresh) != _face(stored):
        problems.append("book/chapters and notebooks differ; run make sync")
    if stale := _staleness(stored, fresh):
        problems.append(f"{stale}; run make execute CHAPTER={name}")
    if not name.endswith(EXERCISES) and not any(
        "parameters" in c.metadata.get("tags", ()) and "fast = False" in c.source for c in fresh.cells
    ):
        problems.append("no cell is tagged parameters and says fast = False")
    for cell in stored.cells:
        problems += _cell_problems(cell)
    return [f"{name}: {problem}" for problem in problems]


def _staleness(stored, fresh):
    """Why the stored outputs are not those of the code, in a few words; None if they are."""
    stamp = stored.metadata.get("d2lutils", {})
    if any(c.outputs for c in stored.cells if "setup" in c.metadata.get("tags", ())):
        return "the set-up cell has outputs"
    if stamp.get("code_sha256") != code_hash(fresh):
        return "the outputs are older than the code"
    if stamp.get("outputs_sha256") != outputs_hash(stored):
        return "the outputs are not those of the execution (cleared or changed since)"
    return "the outputs come from the fast setting" if stamp.get("fast") else None


def _cell_problems(cell):
    where = (
        f"{cell.get('id', '?')} ({cell.source.strip().splitlines()[0][:40]!r})"
        if cell.source.strip()
        else "an empty cell"
    )
    if cell.cell_type != "code":
        return [f"{where}: a picture without alternative text"] if NAMELESS.search(cell.source) else []
    hidden = {"hide-input", "remove-cell"} & set(cell.metadata.get("tags", ()))
    wide = [] if hidden else too_wide(cell.source)
    problems = [f"{where}: wider than {WIDTH} columns: {line.strip()[:40]} …" for line in wide]
    if cell.execution_count is None:
        problems.append(f"{where}: never executed")
    if any(output.output_type == "error" or output.get("name") == "stderr" for output in cell.outputs):
        problems.append(f"{where}: shows an error or a warning")
    pictures = any(kind in output.get("data", {}) for output in cell.outputs for kind in IMAGES)
    if pictures and not cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "").strip():
        problems.append(f"{where}: a figure without alternative text (mystnb: image: alt)")
    return problems


def too_wide(source):
    """Lines that a reader would have to scroll; a Chinese character takes two columns."""
    return [
        line
        for line in source.splitlines()
        if sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line) > WIDTH
    ]


def _face(notebook):
    """What both sides must share."""
    cells = [(c.cell_type, c.source, json.dumps(c.metadata, sort_keys=True)) for c in notebook.cells]
    return notebook.metadata["kernelspec"], cells


def _take_outputs(notebook, executed):
    """Copy the outputs of the same code cells; prose may have been added or removed in between."""
    for cell in notebook.cells:
        if "setup" in cell.metadata.get("tags", ()):
            cell.execution_count = 1
    pairs = zip(code_cells(notebook), code_cells(executed), strict=True)
    for count, (cell, ran) in enumerate(pairs, start=2):
        cell.execution_count = count
        cell.outputs = _tidy(ran.outputs, count)


def _tidy(outputs, count):
    """Join neighbouring pieces of one stream and drop what differs from run to run."""
    tidy = []
    for output in outputs:
        output.get("metadata", {}).clear()
        if output.output_type == "execute_result":
            output.execution_count = count
        last = tidy[-1] if tidy else None
        if output.output_type == "stream" and last and last.get("name") == output.name:
            last.text += output.text
        else:
            tidy.append(output)
    return tidy


def _write(notebook, path):
    """Validate and replace the file in one step."""
    nbformat.validate(notebook)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(nbformat.writes(notebook, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(path)


def set_repository(url):
    """Write the repository's address into _config.yml, from where set-up cells and Colab links take it."""
    if not re.fullmatch(r"https://[^/\s]+/[^/\s]+/[^/\s]+?(\.git)?/?", url):
        sys.exit(f"the address must look like https://github.com/OWNER/REPO, got {url!r}")
    path = ROOT / "_config.yml"
    url = url.rstrip("/").removesuffix(".git")
    print(f"the repository is {url}")
    path.write_text(re.sub(r"(?m)^  url: .*$", f"  url: {url}", path.read_text(encoding="utf-8")), encoding="utf-8")


def refresh_setup_cell(path):
    """Write the set-up cell of a stored notebook anew; nothing else of it changes."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if "setup" in cell.metadata.get("tags", ()):
            cell.source = setup_cell(notebook.metadata["kernelspec"]["name"])
    _write(notebook, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("sync", "execute", "check", "repository"))
    parser.add_argument("chapters", nargs="*", help="names of chapters, default: all; for repository: the address")
    args = parser.parse_args()
    problems = []
    if args.command == "repository":
        if len(args.chapters) != 1:
            parser.error("give one address, e.g. https://github.com/OWNER/REPO")
        set_repository(args.chapters[0])
        for path in sorted(NOTEBOOKS.glob("*.ipynb")):
            refresh_setup_cell(path)
        return
    for name in args.chapters or names():
        if args.command == "execute" and (kernel := missing_kernel(name)):
            print(f"{name}: LEFT OUT, there is no kernel {kernel!r} here; run `make mxnet` first", flush=True)
        elif args.command == "execute":
            print(f"{name} …", flush=True)
            print(f"{name}: {execute(name):.0f} s", flush=True)
        elif args.command == "sync":
            problem = sync(name)
            problems += filter(None, [problem])
            print(f"{name}: {'not in step' if problem else 'in step'}")
        else:
            problems += check(name)
    if args.command == "check":
        stray = {path.stem for path in NOTEBOOKS.glob("*.ipynb")} - set(names())
        problems += [f"notebooks/{name}.ipynb has no source in book/chapters" for name in sorted(stray)]
    sys.exit("\n".join(problems) or None)


if __name__ == "__main__":
    main()
