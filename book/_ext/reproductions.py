"""Directives that turn what the executed notebooks recorded into the book's tables.

``{reproductions}``: every figure of the documents beside ours. ``{environments}``: on what, when and how long each
notebook ran. Both read the outputs of type ``application/vnd.d2lutils+json`` in ``notebooks/*.ipynb`` and nothing else.
"""

import json
from dataclasses import fields
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from d2lutils.record import MIME, Comparison


class Reproductions(SphinxDirective):
    """First how many figures each chapter reached, then every figure: the document's, ours, difference, reached."""

    def run(self):
        summary, details = [], []
        for path, notebook in _notebooks(self):
            for item in _records(notebook, "comparison"):
                found = Comparison(**{field.name: item[field.name] for field in fields(Comparison)})
                reached = sum(row["reached"] is True for row in found.rows)
                link = _link(self, path, notebook)
                summary.append(
                    (link, found.document, found.title, found.metric, found.rule, f"{reached} / {len(found.rows)}")
                )
                details.append(nodes.rubric(text=f"{found.title}：{found.metric}（文档 {found.document}）"))
                details.append(table(("", "文档", "本书", "相差", "达到"), found.cells(), "reproductions"))
        if not summary:
            return [nodes.paragraph(text="还没有执行过的章节。")]
        return [table(("章", "文档", "内容", "数字", "标准", "达到"), summary, "reproductions"), *details]


class Environments(SphinxDirective):
    """A row a notebook: device, versions, data, date, time."""

    def run(self):
        rows = []
        for path, notebook in _notebooks(self):
            stamp = notebook["metadata"].get("d2lutils", {})
            for item in _records(notebook, "environment")[:1]:
                versions = "，".join(f"{k} {v}" for k, v in item["versions"].items())
                data = "，".join(f"{k} {v[:8]}…" for k, v in item["data"].items())
                seconds = f"{stamp.get('seconds', 0):.0f} 秒"
                rows.append((_link(self, path, notebook), item["device"], versions, data, item["date"], seconds))
        head = ("章", "设备", "版本", "数据（sha256 前 8 位）", "日期", "完整设置用时")
        return [table(head, rows, "environments")]


def _notebooks(directive):
    folder = Path(directive.env.srcdir) / "notebooks"
    for path in sorted(folder.glob("*.ipynb")):
        directive.env.note_dependency(str(path))
        yield path, json.loads(path.read_text(encoding="utf-8"))


def _records(notebook, kind):
    found = (
        output["data"][MIME]
        for cell in notebook["cells"]
        for output in cell.get("outputs", ())
        if MIME in output.get("data", {})
    )
    return [item for item in found if item["kind"] == kind]


def _link(directive, path, notebook):
    title = next(
        line.lstrip("# ").strip()
        for cell in notebook["cells"]
        if cell["cell_type"] == "markdown"
        for line in "".join(cell["source"]).splitlines()
        if line.startswith("# ")
    )
    uri = directive.env.app.builder.get_relative_uri(directive.env.docname, f"notebooks/{path.stem}")
    return nodes.reference("", title, refuri=uri, internal=True)


def table(head, rows, css_class):
    """A table that may be scrolled on a phone; cells are text or nodes."""
    grid = nodes.table(classes=[css_class, "table"])
    group = nodes.tgroup(cols=len(head))
    grid += group
    group += [nodes.colspec(colwidth=1) for _ in head]
    thead, tbody = nodes.thead(), nodes.tbody()
    group += [thead, tbody]
    thead += _row(head)
    tbody += [_row(row) for row in rows]
    wrapper = nodes.container(classes=["table-wrapper"])
    wrapper += grid
    return wrapper


def _row(cells):
    row = nodes.row()
    for cell in cells:
        content = cell if isinstance(cell, nodes.Node) else nodes.Text(str(cell))
        row += nodes.entry("", nodes.paragraph("", "", content))
    return row


def _mend_roles(app, pagename, templatename, context, doctree):
    """docutils calls a bibliography a list but its entries no list items, which screen readers trip over."""
    if "body" in context:
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')


def setup(app):
    app.connect("html-page-context", _mend_roles)
    app.add_directive("reproductions", Reproductions)
    app.add_directive("environments", Environments)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
