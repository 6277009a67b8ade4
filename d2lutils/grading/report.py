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
    ids = _ids(rows)
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["file", "passed", "total", *ids, "note", "seconds"])
    for row in rows:
        results = row["results"]
        marks = [results.get(id, "") for id in ids]
        table.writerow(map(_harmless, [row["file"], _passed(row), len(results), *marks, row["note"], row["seconds"]]))
    _replace(path, "\ufeff" + text.getvalue())


def write_html(rows, path):
    """The distribution as a picture, how each exercise went, then every notebook with its hints; no outside address."""
    ids, kinds = _ids(rows), sorted({row["sandbox"] for row in rows} - {""})
    parts = {
        "count": len(rows),
        "sandbox": "、".join(kinds) or "无",
        "picture": _picture(rows),
        "rates": _rates(rows, ids),
        "head": "".join(f"<th scope=col>{id}</th>" for id in ids),
        "body": "".join(_line(row, ids) for row in rows),
    }
    _replace(path, PAGE.format(**parts))


def _ids(rows):
    """The exercises that occur, in the book's order."""
    found = {id for row in rows for id in row["results"]}
    return [e.id for e in exercises.exercises() if e.id in found]


def _passed(row):
    return sum(status == "passed" for status in row["results"].values())


def _harmless(value):
    """Text that a spreadsheet would take for a formula begins with an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _picture(rows):
    """How many notebooks passed how many exercises: an SVG of bars."""
    import matplotlib.pyplot as plt

    from ..plot import use_svg_display

    use_svg_display()
    most = max([len(row["results"]) for row in rows], default=0)
    counts = [sum(_passed(row) == passed for row in rows) for passed in range(most + 1)]
    fig, ax = plt.subplots(figsize=(6.4, 2.6))
    ax.bar_label(ax.bar(range(most + 1), counts), [count or "" for count in counts])
    ax.set(xlabel="通过的题数", ylabel="份数", xticks=range(0, most + 1, max(1, most // 12)))
    ax.margins(y=0.15)
    text = io.StringIO()
    fig.savefig(text, format="svg", bbox_inches="tight")
    plt.close(fig)
    said = "，".join(f"通过 {passed} 题的 {count} 份" for passed, count in enumerate(counts) if count)
    picture = text.getvalue()
    return f'<figure role="img" aria-label="{said}">{picture[picture.index("<svg") :]}</figure>'


def _rates(rows, ids):
    lines = []
    for id in ids:
        tried = [row["results"][id] for row in rows if id in row["results"]]
        share, exercise = tried.count("passed") / len(tried), exercises.find(id)
        title = f"{id} {html.escape(exercise.title)} {'★' * exercise.stars}"
        bar = f"<meter value='{share:.3f}' aria-label='{title}'></meter> {share:.0%}"
        lines.append(f"<tr><th scope=row>{title}</th><td>{bar}</td><td>{tried.count('unanswered')}</td></tr>")
    return "".join(lines)


def _line(row, ids):
    cells = "".join(
        f'<td class="{status}" title="{html.escape(row["hints"].get(id, ""))}">{MARKS.get(status, "")}</td>'
        for id, status in ((id, row["results"].get(id, "")) for id in ids)
    )
    hints = "".join(f"<li>{id}：{html.escape(hint)}</li>" for id, hint in row["hints"].items())
    more = f"<details><summary>{len(row['hints'])} 处</summary><ul>{hints}</ul></details>" if hints else ""
    total = f"{_passed(row)} / {len(row['results'])}"
    facts = f"<td>{total}</td>{cells}<td>{html.escape(row['note'])}{more}</td><td>{row['seconds']}</td>"
    return f"<tr><th scope=row>{html.escape(row['file'])}</th>{facts}</tr>"


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
.wide {{ overflow-x: auto; }} table {{ border-collapse: collapse; }}
th, td {{ padding: 0.2rem 0.6rem; border-bottom: 1px solid #8886; text-align: left; vertical-align: top; }}
figure {{ margin: 1rem 0; background: white; max-width: 42rem; }} figure svg {{ width: 100%; height: auto; }}
.passed {{ background: #00a06033; }} .wrong {{ background: #d0400033; }} .lost {{ background: #8884; }}
</style></head><body><main>
<h1>练习的成绩</h1><p>{count} 份笔记本。隔离方式：{sandbox}。✓ 通过，✗ 不对，○ 没有作答，– 没有查到。</p>
<h2>分布</h2>{picture}
<h2>每一题</h2><div class="wide" tabindex="0"><table><thead><tr><th scope=col>题</th><th scope=col>通过</th>
<th scope=col>没有作答</th></tr></thead><tbody>{rates}</tbody></table></div>
<h2>每一份</h2><div class="wide" tabindex="0"><table><thead><tr><th scope=col>文件</th><th scope=col>通过</th>{head}
<th scope=col>说明</th><th scope=col>秒</th></tr></thead><tbody>{body}</tbody></table></div>
</main></body></html>
"""
