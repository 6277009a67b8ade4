"""Slides: what a room looks at, the prose as notes, nothing from outside."""

import re

import nbformat
import pytest
import slides
from conftest import needs_browser

import notebooks

SOURCE = """# 题目

开场白。

## 第一节

一句话，然后公式：

$$a=b$$

再一句话。
"""


def cells(*sources):
    kinds = {"md": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    return nbformat.v4.new_notebook(cells=[kinds[kind](text) for kind, text in sources])


def shown(notebook):
    return [(c.metadata.slideshow["slide_type"], c.source) for c in notebook.cells]


def test_headings_and_equations_are_shown_and_sentences_are_notes():
    made = shown(slides.arrange(cells(("md", SOURCE), ("code", "x = 1"))))
    assert made == [
        ("slide", "# 题目"),
        ("notes", "开场白。"),
        ("slide", "## 第一节\n\n$$a=b$$"),
        ("notes", "一句话，然后公式：\n\n$$a=b$$\n\n再一句话。"),
        ("subslide", "###### 第一节"),
        ("-", "x = 1"),
    ]


def test_code_fills_a_bare_heading_and_settings_are_left_out():
    made = shown(
        slides.arrange(cells(("md", "# 题目"), ("code", "fast = False"), ("md", "## 节\n\n话。"), ("code", "y")))
    )
    assert made == [("slide", "# 题目"), ("slide", "## 节"), ("notes", "话。"), ("-", "y")]


def test_hidden_and_long_code_gives_way_to_its_picture():
    notebook = cells(("md", "## 节"), ("code", "a\n" * 30), ("code", "b"), ("code", "c"))
    notebook.cells[1].outputs = [nbformat.v4.new_output("display_data", {"image/svg+xml": "<svg/>"})]
    notebook.cells[2].metadata["tags"] = ["hide-input"]
    code = [cell for cell in slides.arrange(notebook).cells if cell.cell_type == "code"]
    assert ["no-input" in cell.metadata.get("tags", ()) for cell in code] == [True, True, False]


@pytest.fixture
def deck(tmp_path, monkeypatch):
    monkeypatch.setattr(slides, "OUT", tmp_path)
    slides.copy_assets()
    return slides.export("gru")


def test_a_deck_loads_nothing_from_outside(deck):
    html = deck.read_text(encoding="utf-8")
    addresses = re.findall(r"""(?:src|href)=["']([^"']+)["']""", html)
    files = [address for address in addresses if not address.startswith(("#", "data:"))]
    assert len(files) >= 4
    ours = [address for address in files if (deck.parent / address).is_file()]
    assert {address for address in files if address not in ours} <= {
        a for a in files if a.endswith((".ipynb", ".html"))
    }
    assert "@import url(http" not in "".join(p.read_text(encoding="utf-8") for p in deck.parent.rglob("white.css"))
    assert html.count('<aside class="notes">') > 10


@needs_browser
def test_a_deck_shows_itself_in_a_browser(deck, browser):
    page = browser.new_page()
    asked, failed = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("requestfailed", lambda request: failed.append(request.url))
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.goto(deck.as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady() && document.querySelector('mjx-container')")
    assert page.evaluate("Reveal.getTotalSlides()") > 20
    assert [url for url in asked if not url.startswith("file:")] == []
    assert failed == []
    page.close()


def test_unknown_chapters_are_named(monkeypatch):
    monkeypatch.setattr("sys.argv", ["slides.py", "gru-exercises"])
    with pytest.raises(SystemExit, match=r"no chapter gru-exercises; there are: rnn"):
        slides.main()
    assert "gru-exercises" in notebooks.names()
