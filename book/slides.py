"""Slides of the chapters: ``python book/slides.py [NAME …]`` writes _build/slides/NAME.html, nothing from outside.

A slide shows what a room should look at: a heading, displayed equations, lists, tables, code, pictures. The prose goes
into the speaker's notes (press S). Code that the page hides stays hidden; its picture is shown.
"""

import argparse
import importlib.resources
import re
import shutil
import sys
from pathlib import Path

import nbformat
from nbconvert import SlidesExporter
from traitlets.config import Config

import notebooks

OUT = notebooks.ROOT / "_build" / "slides"
TEMPLATES = notebooks.ROOT / "book" / "_templates"
SHOWN = re.compile(
    r"\$\$.+?\$\$|^(?:\||- |\d+\. ).+?(?=\n\n|\Z)|^!\[.*?$", re.S | re.M
)  # equations, tables, lists, pictures
LONG = 24  # lines of code that fit a slide


def arrange(notebook):
    """The cells of a chapter as slides, one section of the chapter after another; its settings stay behind."""
    cells, section, begun, bare = [], "", False, False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for kind, text in _prose(cell.source):
                if kind == "subslide" and not text.startswith("#"):
                    text = f"###### {section}\n\n{text}"
                cells.append(_slide(text, kind))
                if text.startswith(("# ", "## ", "### ")):
                    section = text.splitlines()[0].lstrip("# ")
                    begun = begun or text.startswith("## ")
                bare = "\n" not in text if kind != "notes" else bare
        elif begun:
            if not bare:
                cells.append(_slide(f"###### {section}", "subslide"))
            cells.append(_code(cell))
            bare = False
    return nbformat.v4.new_notebook(cells=cells, metadata=notebook.metadata)


def _prose(text):
    """Pairs (kind, text): a heading begins a slide, equations, lists and tables follow it, sentences are notes."""
    for part in re.split(r"(?m)^(?=#{1,3} )", text):
        heading = re.match(r"(#{1,3}) .*", part)
        rest = part[heading.end() :] if heading else part
        shown = SHOWN.findall(rest)
        if heading:
            yield "slide" if len(heading[1]) < 3 else "subslide", "\n\n".join([heading[0], *shown])
        elif shown:
            yield "subslide", "\n\n".join(shown)
        if rest.strip():
            yield "notes", rest.strip()


def _slide(text, kind):
    return nbformat.v4.new_markdown_cell(text, metadata={"slideshow": {"slide_type": kind}})


def _code(cell):
    """A code cell; without its source where the page hides it or it is too long to read from afar."""
    cell = nbformat.from_dict(cell)
    hidden = "hide-input" in cell.metadata.get("tags", ()) or (cell.outputs and cell.source.count("\n") >= LONG)
    alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
    for output in cell.outputs:
        if alt and "data" in output:
            output.metadata["alt"] = alt
    cell.metadata = nbformat.from_dict({"slideshow": {"slide_type": "-"}, "tags": ["no-input"] if hidden else []})
    return cell


def export(name):
    """Write the slides of a chapter from its stored notebook; the path."""
    path = notebooks.NOTEBOOKS / f"{name}.ipynb"
    if not path.is_file():
        sys.exit(f"{name}: no notebook yet; run make execute CHAPTER={name}")
    notebook = arrange(nbformat.read(path, as_version=4))
    notebook.metadata["title"] = next(c.source[2:].splitlines()[0] for c in notebook.cells if c.source.startswith("# "))
    config = Config()
    config.TagRemovePreprocessor.enabled = True
    config.TagRemovePreprocessor.remove_input_tags = {"no-input"}
    exporter = SlidesExporter(
        config=config,
        template_name="book_slides",
        extra_template_basedirs=[str(TEMPLATES)],
        reveal_url_prefix="reveal",
        reveal_theme="white",
        mathjax_url="mathjax/tex-chtml.js",
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    html, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": name}, "language_code": "zh-CN"})
    OUT.mkdir(parents=True, exist_ok=True)
    part = OUT / f"{name}.part"
    part.write_text(html, encoding="utf-8")
    part.replace(OUT / f"{name}.html")
    return OUT / f"{name}.html"


def copy_assets():
    """reveal.js and MathJax from their packages, beside the slides."""
    import sphinx_revealjs

    reveal = importlib.resources.files(sphinx_revealjs) / "_static" / "revealjs"
    mathjax = Path(str(reveal)).parents[2] / "sphinx-mathjax-offline" / "static" / "mathjax"
    for source, name in ((reveal / "dist", "reveal/dist"), (reveal / "plugin" / "notes", "reveal/plugin/notes"),
                         (mathjax, "mathjax")):  # fmt: skip
        shutil.copytree(str(source), OUT / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.map"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="*", help="names of chapters, default: all")
    args = parser.parse_args()
    lectures = [name for name in notebooks.names() if not name.endswith(notebooks.EXERCISES)]
    if unknown := set(args.chapters) - set(lectures):
        sys.exit(f"no chapter {', '.join(sorted(unknown))}; there are: {', '.join(lectures)}")
    copy_assets()
    for name in args.chapters or lectures:
        print(export(name).relative_to(notebooks.ROOT), flush=True)


if __name__ == "__main__":
    main()
