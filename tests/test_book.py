"""The book as its readers see it: built strictly, then opened page by page in a real browser."""

import functools
import http.server
import itertools
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, needs_browser

BUILD_LIMIT = 60  # seconds for the HTML of all pages; the budget is 10 on a quiet machine
SCREENSHOTS = ROOT / "_build" / "screenshots"


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The book's HTML, built with every warning an error."""
    out = tmp_path_factory.mktemp("book")
    command = [Path(sys.executable).with_name("jupyter-book"), "build", ROOT, "--path-output", out, "--all", "-n", "-W"]
    start = time.perf_counter()
    done = subprocess.run([*command, "--keep-going", "-q"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert time.perf_counter() - start < BUILD_LIMIT
    return out / "_build" / "html"


@pytest.fixture(scope="session")
def pages(site):
    """Addresses of the pages below the site."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    files = [toc["root"], *(chapter["file"] for part in toc["parts"] for chapter in part["chapters"])]
    return [f"{file}.html" for file in files]


@pytest.fixture(scope="session")
def base(site):
    """The site served on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture
def page(browser, base):
    """A page that remembers requests that would leave the machine and errors on the console."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.strayed, page.complaints = [], []
    page.on("request", lambda r: None if r.url.startswith((base, "data:", "blob:")) else page.strayed.append(r.url))
    page.on("console", lambda m: page.complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    yield page
    page.close()


def test_every_page_is_built(site, pages):
    assert all((site / page).is_file() for page in pages)
    assert 'lang="zh-CN"' in (site / pages[0]).read_text(encoding="utf-8")


def test_no_page_names_an_outside_script_style_font_or_picture(site, pages):
    import re

    for page in pages:
        html = (site / page).read_text(encoding="utf-8")
        outside = re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=[\"'](?:https?:)?//[^\"']+", html)
        assert [tag for tag in outside if 'rel="canonical"' not in tag] == []


def test_the_record_shows_every_figure_of_every_executed_chapter(site):
    html = (site / "book" / "reproductions.html").read_text(encoding="utf-8")
    recorded = [
        output["data"]["application/vnd.d2lutils+json"]
        for path in (ROOT / "notebooks").glob("*.ipynb")
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        for output in cell.get("outputs", ())
        if "application/vnd.d2lutils+json" in output.get("data", {})
    ]
    tables = [item for item in recorded if item["kind"] == "comparison"]
    assert sum(len(table["rows"]) for table in tables) >= 15
    for table in tables:
        assert table["title"] in html
        reached = sum(row["reached"] is True for row in table["rows"])
        assert f"{reached} / {len(table['rows'])}" in html


@needs_browser
def test_no_page_leaves_the_machine_or_complains(page, base, pages):
    for address in pages:
        page.goto(base + address, wait_until="networkidle")
        assert page.strayed == [], address
        assert page.complaints == [], address


@needs_browser
def test_mathematics_is_typeset_and_pictures_load(page, base):
    page.goto(base + "notebooks/rnn.html", wait_until="networkidle")
    page.wait_for_selector("mjx-container")
    assert page.locator("mjx-merror").count() == 0
    broken = "imgs => imgs.filter(i => !i.complete || !i.naturalWidth || !i.alt.trim()).map(i => i.src)"
    assert page.eval_on_selector_all(".bd-article img", broken) == []


@needs_browser
@pytest.mark.parametrize("word", ["困惑度", "循环单元", "周杰伦", "perplexity", "门"])
def test_the_search_finds_chinese(page, base, word):
    page.goto(f"{base}search.html?q={word}", wait_until="networkidle")
    page.wait_for_selector("#search-results li")
    found = page.locator("#search-results li").all_inner_texts()
    assert any(word in text.lower() for text in found), found


@needs_browser
def test_colab_download_and_source_buttons(page, base, pages):
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]
    owner_and_name = config["url"].removeprefix("https://github.com/")
    for address in pages:
        page.goto(base + address)
        links = page.eval_on_selector_all(".article-header-buttons a", "links => links.map(a => a.href)")
        colab = [link for link in links if "colab" in link]
        notebook = address.replace(".html", ".ipynb")
        if address.startswith("notebooks/"):
            expected = f"https://colab.research.google.com/github/{owner_and_name}/blob/{config['branch']}/{notebook}"
            assert colab == [expected]
            assert any(link.endswith(f"/_sources/{notebook}") for link in links)
        else:
            assert colab == []
        assert any(link.startswith(config["url"]) for link in links)


@needs_browser
def test_no_serious_accessibility_violation(browser, base, pages):
    from axe_playwright_python.sync_playwright import Axe

    page = browser.new_page()
    serious = []
    for address in pages:
        page.goto(base + address, wait_until="networkidle")
        for theme, rules in (("light", {}), ("dark", {"runOnly": ["color-contrast"]})):  # all else is the same in both
            switch(page, theme)
            for violation in Axe().run(page, options={"resultTypes": ["violations"], **rules}).response["violations"]:
                if violation["impact"] in ("serious", "critical"):
                    where = [node["target"] for node in violation["nodes"]][:3]
                    serious.append(f"{address} ({theme}): {violation['id']}: {violation['help']} {where}")
    page.close()
    assert serious == []


@needs_browser
def test_pages_fit_the_screen_and_are_kept_as_pictures(browser, base, pages):
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page = browser.new_page()
    too_wide = []
    for address in pages:
        page.goto(base + address, wait_until="networkidle")
        for width, theme in itertools.product((390, 1280), ("light", "dark")):
            page.set_viewport_size({"width": width, "height": 900})
            switch(page, theme)
            if page.evaluate("document.documentElement.scrollWidth") > width:
                too_wide.append((address, width))
            name = address.removesuffix(".html").replace("/", "-")
            page.screenshot(path=SCREENSHOTS / f"{name}-{width}-{theme}.png", full_page=True)
    page.close()
    assert too_wide == []


def switch(page, theme):
    """Change what the reader's system prefers; the page follows by itself."""
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page.add_style_tag(content="* { transition: none !important; }")  # or colours are measured half-way
    page.wait_for_function("theme => document.documentElement.dataset.theme === theme", arg=theme)
