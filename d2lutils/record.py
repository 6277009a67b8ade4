"""A document's figures beside ours: a table on the page, and data for the book's record of reproductions."""

from dataclasses import dataclass
from html import escape

__all__ = ["MIME", "Comparison", "compare"]

MIME = "application/vnd.d2lutils+json"  # outputs of this type are collected by the book's record page

_MARKS = {True: "✓", False: "✗", None: "—"}


@dataclass(frozen=True)
class Comparison:
    """Published figures beside measured ones; shows itself as a table. Made by :func:`compare`.

    Attributes:
        document: number of the document, e.g. "004".
        title: what was trained.
        metric: name of the figure.
        key: what the rows count, e.g. "周期".
        rows: list of dicts with row, published, ours, difference, reached
        (ours and difference are None and reached is None where the run did not get that far).
        rule: the bound in words.
    """

    document: str
    title: str
    metric: str
    key: str
    rule: str
    rows: list

    @property
    def reached(self):
        """True if every row is there and within the bound."""
        return all(row["reached"] for row in self.rows)

    def cells(self):
        """The table's body as text: (row, published, ours, difference, mark) for each row."""
        relative = "%" in self.rule
        figure, change = ("{:.4g}", "{:+.1%}") if relative else ("{:.7g}", "{:+.1e}")
        return [
            (
                f"{self.key} {row['row']}",
                figure.format(float(row["published"])),  # float: a notebook stores nan and inf as strings
                "—" if row["ours"] is None else figure.format(float(row["ours"])),
                "—" if row["ours"] is None else change.format(float(row["difference"])),
                _MARKS[row["reached"]],
            )
            for row in self.rows
        ]

    def __str__(self):
        body = (
            f"  {row}：文档 {published}，本书 {ours}，相差 {gap} {mark}"
            for row, published, ours, gap, mark in self.cells()
        )
        return "\n".join([f"文档 {self.document} · {self.title}（{self.rule}）", *body])

    def to_html(self):
        """The table as HTML."""
        head = "".join(f"<th scope='col'>{title}</th>" for title in ("", "文档", "本书", "相差", "达到"))
        body = "".join(
            f"<tr><th scope='row'>{escape(row)}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in rest)}</tr>"
            for row, *rest in self.cells()
        )
        caption = f"{self.metric}：{self.title}（文档 {self.document}；标准：{self.rule}）"
        return (
            f"<table class='table comparison'><caption>{escape(caption)}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )

    def _repr_mimebundle_(self, include=None, exclude=None):
        data = {"kind": "comparison", **vars(self), "reached": self.reached}
        return {"text/plain": str(self), "text/html": self.to_html(), MIME: data}


def compare(
    document,
    title,
    published,
    ours,
    *,
    metric="困惑度",
    key="周期",
    within=0.15,
    absolute=None,
    two_sided=False,
):
    """Set measured figures beside published ones.

    Args:
        document: number of the document.
        title: what was trained, in a few words.
        published, ours: dict from row (int or str) to figure; rows missing in ``ours`` are shown as not run.
        metric, key: names of the figure and of the rows.
        within: ours may exceed the document's figure by this fraction (and lie below it by any, unless two_sided).
        absolute: if given, the largest absolute difference allowed instead; always two-sided.

    Returns:
        Comparison: display it as the last expression of a cell.

    Raises:
        ValueError: nothing to compare with, or a relative bound for a published figure of 0.
    """
    if not published:
        raise ValueError("published is empty; give the document's figures as {row: figure}")
    if absolute is None and not all(map(float, published.values())):
        raise ValueError("a published figure is 0, so a relative bound means nothing; give absolute=")
    two_sided = two_sided or absolute is not None
    ours = {str(row): float(value) for row, value in ours.items()}
    rows = []
    for row, reference in ((str(row), float(value)) for row, value in published.items()):
        value = ours.get(row)
        difference = reached = None
        if value is not None:
            difference = value / reference - 1 if absolute is None else value - reference
            reached = (abs(difference) if two_sided else difference) <= (within if absolute is None else absolute)
        rows.append({"row": row, "published": reference, "ours": value, "difference": difference, "reached": reached})
    bound = f"{within * 100:g}%" if absolute is None else f"{absolute:g}"
    rule = f"相差不超过 {bound}" if two_sided else f"低于文档，或高出不超过 {bound}"
    return Comparison(document, title, metric, key, rule, rows)
