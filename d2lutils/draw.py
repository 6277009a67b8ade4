"""Boxes, circles and arrows: the vocabulary of every diagram in the book."""

__all__ = ["Diagram"]

FILLS = {"input": "#dbe9f6", "state": "#d5efe3", "output": "#fde3cf", "gate": "#f6e0ec", "plain": "#ffffff"}


class Diagram:
    """A drawing surface measured in units of about one centimetre, y upwards.

    ``box`` and ``circle`` return their centre and half extents, which ``arrow`` takes as ends, so an arrow always
    stops at the edge of what it points to.
    """

    def __init__(self, width, height):
        import matplotlib.pyplot as plt

        self.figure, self.ax = plt.subplots(figsize=(width * 0.6, height * 0.6), layout="constrained")
        self.ax.set(xlim=(0, width), ylim=(0, height), aspect="equal")
        self.ax.axis("off")

    def box(self, x, y, text, width=1.4, height=0.8, kind="plain", fontsize=11):
        """A rounded rectangle centred at (x, y); ``kind`` names its colour."""
        from matplotlib.patches import FancyBboxPatch

        corner = (x - width / 2 + 0.1, y - height / 2 + 0.1)
        patch = FancyBboxPatch(
            corner, width - 0.2, height - 0.2, boxstyle="round,pad=0.1", fc=FILLS[kind], ec="#333333"
        )
        self.ax.add_patch(patch)
        self.text(x, y, text, fontsize)
        return x, y, width / 2, height / 2

    def circle(self, x, y, text, radius=0.32, kind="plain", fontsize=11):
        """A circle centred at (x, y), for operations on elements."""
        from matplotlib.patches import Circle

        self.ax.add_patch(Circle((x, y), radius, fc=FILLS[kind], ec="#333333"))
        self.text(x, y, text, fontsize)
        return x, y, radius, radius

    def text(self, x, y, text, fontsize=11, **style):
        """Text centred at (x, y)."""
        self.ax.text(x, y, text, fontsize=fontsize, ha=style.pop("ha", "center"), va="center", **style)

    def arrow(self, start, end, text="", bend=0.0, color="#333333", offset=(0, 0.22), style="-|>"):
        """An arrow from one shape (or point) to another, with an optional label near its middle."""
        (x0, y0), (x1, y1) = _edge(start, end), _edge(end, start)
        self.ax.annotate(
            "",
            (x1, y1),
            (x0, y0),
            arrowprops={"arrowstyle": style, "color": color, "lw": 1.3, "shrinkA": 0, "shrinkB": 0,
                        "connectionstyle": f"arc3,rad={bend}"},
        )  # fmt: skip
        if text:
            self.text((x0 + x1) / 2 + offset[0], (y0 + y1) / 2 + offset[1], text, 10, color=color)


def _edge(shape, towards):
    """Where the straight line from the centre of a shape to another leaves the shape."""
    x, y, *half = shape
    if not half:
        return x, y
    dx, dy = towards[0] - x, towards[1] - y
    scale = min(half[0] / abs(dx) if dx else float("inf"), half[1] / abs(dy) if dy else float("inf"))
    if half[0] == half[1]:  # a circle
        scale = half[0] / (dx * dx + dy * dy) ** 0.5
    return x + dx * scale, y + dy * scale
