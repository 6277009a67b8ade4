"""The marks as a table for a spreadsheet and as a page for people."""

import csv
import html
import io
from pathlib import Path

from .. import exercises

__all__ = ["write_csv", "write_html"]

MARKS = {"passed": "✓", "wrong": "✗", "unanswered": "○", "lost": "–"}


def write_csv(rows, path):
    """A row a notebook: file, passed, total, each exercise, note, seconds; in UTF-8 with a byte-order mark."""
    ids = [item.id for name in exercises.CHAPTERS for item in _items(rows, name)]
    text = io.StringIO()
    table = csv.writer(text, quoting=csv.QUOTE_ALL)
    table.writerow(["file", "passed", "total", *ids, "note", "seconds"])
    for row in rows:
        results = row["results"]
        marks = [results.get(id, "") for id in ids]
        table.writerow(map(_harmless, [row["file"], _passed(row), len(results), *marks, row["note"], row["seconds"]]))
    _replace(path, "\ufeff" + text.getvalue())


def write_html(rows, path):
    """A section a chapter: the distribution as a picture, each exercise, each notebook. No outside address."""
    sections = [_section(rows, name) for name in exercises.CHAPTERS if _items(rows, name)]
    if nothing := [row for row in rows if not row["results"]]:
        body = "".join(f"<tr><th scope=row>{_text(r['file'])}</th><td>{_text(r['note'])}</td></tr>" for r in nothing)
        sections.append(f"<h2>没有评出的</h2>{_table('<th scope=col>文件</th><th scope=col>说明</th>', body)}")
    kinds = "、".join(sorted({row["sandbox"] for row in rows} - {""})) or "无"
    _replace(path, PAGE.format(count=len(rows), sandbox=kinds, sections="".join(sections)))


def _section(rows, name):
    items = _items(rows, name)
    rows = [row for row in rows if any(item.id in row["results"] for item in items)]
    rates = _table(
        "<th scope=col>题</th><th scope=col>通过</th><th scope=col>没有作答</th>",
        "".join(_rate(rows, item) for item in items),
    )
    heads = "".join(f"<th scope=col title='{item.id} {item.title}'>{item.number}</th>" for item in items)
    head = f"<th scope=col>文件</th><th scope=col>通过</th>{heads}<th scope=col>说明</th><th scope=col>秒</th>"
    notebooks = _table(head, "".join(_line(row, items) for row in rows))
    return f"<h2>{exercises.chapter(name).title}</h2>{_picture(rows, items)}{rates}{notebooks}"


def _items(rows, name):
    """The exercises of a chapter that occur, in the book's order."""
    found = {id for row in rows for id in row["results"]}
    return [item for item in exercises.exercises(name) if item.id in found]


def _passed(row, items=None):
    ids = row["results"] if items is None else [item.id for item in items]
    return sum(row["results"].get(id) == "passed" for id in ids)


def _picture(rows, items):
    """How many notebooks passed how many exercises: an SVG of bars."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import MaxNLocator

    from ..plot import use_svg_display

    use_svg_display()
    counts = [sum(_passed(row, items) == number for row in rows) for number in range(len(items) + 1)]
    fig, ax = plt.subplots(figsize=(6.4, 2.4))
    ax.bar_label(ax.bar(range(len(counts)), counts), [count or "" for count in counts])
    ax.set(xlabel="通过的题数", ylabel="份数", xticks=range(len(counts)))
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.margins(y=0.18)
    text = io.StringIO()
    fig.savefig(text, format="svg", bbox_inches="tight")
    plt.close(fig)
    said = "，".join(f"通过 {number} 题的 {count} 份" for number, count in enumerate(counts) if count)
    picture = text.getvalue()
    return f'<figure role="img" aria-label="{said}">{picture[picture.index("<svg") :]}</figure>'


def _rate(rows, item):
    tried = [row["results"][item.id] for row in rows if item.id in row["results"]]
    passed = tried.count("passed")
    title = f"{item.number}　{item.title} {'★' * item.stars}"
    bar = f"<meter value='{passed / len(tried):.3f}' aria-label='{title}'></meter> {passed} / {len(tried)}"
    return f"<tr><th scope=row>{title}</th><td>{bar}</td><td>{tried.count('unanswered')}</td></tr>"


def _line(row, items):
    statuses = [(item, row["results"].get(item.id, "")) for item in items]
    cells = "".join(f'<td class="{status}">{MARKS.get(status, "")}</td>' for _, status in statuses)
    said = [(item.number, row["remarks"][item.id]) for item in items if item.id in row["remarks"]]
    remarks = "".join(f"<li>第 {number} 题：{_text(remark)}</li>" for number, remark in said)
    more = f"<details><summary>{len(said)} 处</summary><ul>{remarks}</ul></details>" if said else ""
    facts = f"<td>{_passed(row, items)} / {len(items)}</td>{cells}<td class=said>{_text(row['note'])}{more}</td>"
    return f"<tr><th scope=row>{_text(row['file'])}</th>{facts}<td>{row['seconds']}</td></tr>"


def _table(head, body):
    return f"<div class=wide tabindex=0><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _text(value):
    return html.escape(str(value))


def _harmless(value):
    """Text that a spreadsheet would take for a formula begins with an apostrophe."""
    risky = isinstance(value, str) and value.lstrip().startswith(("=", "+", "-", "@"))
    return f"'{value}" if risky else value


def _replace(path, text):
    path = Path(path)
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8", errors="replace")
    part.replace(path)


PAGE = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>练习的成绩</title><style>
:root {{ color-scheme: light dark; }}
body {{ font-family: system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; line-height: 1.6; }}
.wide {{ overflow-x: auto; margin-bottom: 1.5rem; }} table {{ border-collapse: collapse; }}
th, td {{ padding: 0.2rem 0.6rem; border-bottom: 1px solid #8886; text-align: left; vertical-align: top;
          white-space: nowrap; }}
tbody th {{ font-weight: normal; max-width: 22rem; overflow-wrap: anywhere; white-space: normal; min-width: 8rem; }}
.said {{ white-space: normal; min-width: 16rem; max-width: 36rem; overflow-wrap: anywhere; }}
figure {{ margin: 1rem 0; background: white; max-width: 36rem; }} figure svg {{ width: 100%; height: auto; }}
.passed {{ background: #00a06033; }} .wrong {{ background: #d0400033; }} .lost {{ background: #8884; }}
</style></head><body><main>
<h1>练习的成绩</h1><p>{count} 份笔记本。隔离方式：{sandbox}。</p>
<p>✓ 通过；✗ 不对；○ 没有作答；– 没有查到（程序中途退出或超时）。</p>
{sections}
</main></body></html>
"""
