"""Turn ``book/exercises/NAME.md`` into three notebooks: the book's page, the student's and the complete one.

    python book/exercise_pages.py student [NAME …]     stubs, no solutions: build/student/NAME-exercises.ipynb
    python book/exercise_pages.py solutions [NAME …]   solutions in place of the stubs, executed: build/solutions/…

In the source a section ``## rnn-1`` holds an exercise: the task, a code cell tagged ``stub``, a cell that calls
``check``, and cells tagged ``solution``. Titles, stars and times come from ``d2lutils.exercises``.
"""

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path

import jupytext
import nbformat
import yaml

from d2lutils.exercises import CHAPTERS, chapter, find
from d2lutils.exercises.registry import KINDS

ROOT = Path(__file__).resolve().parent.parent
SOURCES, BUILD = ROOT / "book" / "exercises", ROOT / "build"
LINK = re.compile(r"\]\(([a-z0-9-]+\.ipynb)\)")
HEADING = re.compile(r"(?m)^## ([a-z0-9-]+-\d+)$")


def read(name):
    """The source of a chapter's exercises as a notebook, headings filled in."""
    notebook = jupytext.read(SOURCES / f"{name}.md")
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = HEADING.sub(lambda match: _heading(match[1]), cell.source)
    return notebook


def _heading(id):
    exercise = find(id)
    stars = "★" * exercise.stars + "☆" * (3 - exercise.stars)
    facts = f"{chapter(exercise.chapter).title} · {id} · {KINDS[exercise.kind]} · {stars} · 约 {exercise.minutes} 分钟"
    return f'## {exercise.number}　{exercise.title}\n\n<a id="{id}"></a><small>{facts}</small>'


def is_tagged(cell, tag):
    return tag in cell.metadata.get("tags", ())


def page(name):
    """The book's page: each solution folded, as text, so that running everything never overwrites an answer."""
    notebook, cells = read(name), []
    for cell in notebook.cells:
        if not is_tagged(cell, "solution"):
            cells.append(cell)
            continue
        text = cell.source if cell.cell_type == "markdown" else f"```python\n{cell.source}\n```"
        if cells and is_tagged(cells[-1], "solution"):
            cells[-1].source += f"\n\n{text}"
        else:
            cells.append(nbformat.v4.new_markdown_cell(text, metadata={"tags": ["solution"]}))
    for cell in cells:
        if is_tagged(cell, "solution"):
            cell.source = f'<details class="solution">\n<summary>参考答案</summary>\n\n{cell.source}\n\n</details>'
    notebook.cells = cells
    return notebook


def student(name):
    """Stubs as they are, no solutions; links to chapters lead to the repository, since the file travels alone."""
    notebook = read(name)
    notebook.cells = [cell for cell in notebook.cells if not is_tagged(cell, "solution")]
    repository = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = LINK.sub(rf"]({repository['url']}/blob/{repository['branch']}/notebooks/\1)", cell.source)
    return notebook


def complete(name):
    """Each stub replaced by its solution, worked answers as text."""
    notebook, cells, place = read(name), [], None
    for cell in notebook.cells:
        if is_tagged(cell, "stub"):
            place = len(cells)
        elif is_tagged(cell, "solution") and cell.cell_type == "code":
            cells[place] = nbformat.v4.new_code_cell(cell.source)
            continue
        cells.append(cell)
    notebook.cells = cells
    return notebook


def solutions(name):
    """Source of each code solution by exercise id, and of each stub: two dictionaries."""
    found, stubs, id = {}, {}, None
    for cell in jupytext.read(SOURCES / f"{name}.md").cells:
        if cell.cell_type == "markdown" and (headings := HEADING.findall(cell.source)):
            id = headings[-1]
        elif cell.cell_type == "code" and is_tagged(cell, "solution"):
            found[id] = f"{found.get(id, '')}\n{cell.source}"
        elif is_tagged(cell, "stub"):
            stubs[id] = cell.source
    return found, stubs


def write(kind, name):
    """Write one notebook and return its path; the complete one is executed."""
    from notebooks import QUIET, finish

    notebook = finish({"student": student, "solutions": complete}[kind](name))
    path = BUILD / kind / f"{name}-exercises.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "solutions":
        from nbclient import NotebookClient

        with tempfile.TemporaryDirectory() as folder:
            os.environ["D2LUTILS_PROGRESS"] = str(Path(folder, "progress.json"))
            NotebookClient(notebook, timeout=300, extra_arguments=QUIET).execute()
    part = path.with_suffix(".part")
    nbformat.write(notebook, part)
    part.replace(path)
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=("student", "solutions"))
    parser.add_argument("chapters", nargs="*", help="names of chapters, default: all")
    args = parser.parse_args()
    if unknown := set(args.chapters) - set(CHAPTERS):
        sys.exit(f"no exercises for {', '.join(sorted(unknown))}; there are: {', '.join(CHAPTERS)}")
    for name in args.chapters or CHAPTERS:
        print(write(args.kind, name).relative_to(ROOT), flush=True)


if __name__ == "__main__":
    main()
