"""A picture of the graph behind a value: operations as boxes, leaves above, the value at the bottom."""

from ..draw import Diagram
from .tape import ancestors

__all__ = ["draw_graph"]


def draw_graph(root, most=60):
    """Draw what ``root`` depends on; call it before ``backward()``, which gives the graph back.

    Args:
        root: a Tensor. most: refuse larger graphs, which nobody could read.

    Returns:
        Diagram. Raises ValueError for a graph of more than ``most`` tensors, or one already given back.
    """
    nodes = ancestors(root)[::-1]  # the oldest first
    if len(nodes) > most:
        raise ValueError(f"the graph has {len(nodes)} tensors, more than {most}; draw a shorter computation")
    if any(node._freed for node in nodes):
        raise ValueError("the graph was given back by backward(); draw it before, or use retain_graph=True")
    rows = _rows(nodes)
    width = 2.6 * max(map(len, rows))
    picture, boxes = Diagram(width, 1.5 * len(rows)), {}
    for y, row in enumerate(reversed(rows)):
        for x, node in enumerate(row):
            place = width * (x + 0.5) / len(row), 1.5 * (y + 0.5)
            label = node.operation or node.name or "leaf"
            kind = "gate" if not node._parents else "output" if node is root else "state"
            boxes[node] = picture.box(*place, f"{label}\n{'×'.join(map(str, node.shape)) or '1'}", 2.0, 1.0, kind, 9)
    level = {node: y for y, row in enumerate(rows) for node in row}
    for node in nodes:
        for parent, _ in node._parents:
            (x0, y0, *_), (x1, y1, *_) = boxes[parent], boxes[node]
            side = 1 if x0 + x1 <= width else -1  # a straight line would run through the boxes between
            skips = level[node] - level[parent] > 1
            picture.arrow(boxes[parent], boxes[node], bend=side * 5.0 / (y0 - y1) if skips else 0.0)
    return picture


def _rows(nodes):
    """Tensors (the oldest first) by their longest distance from a leaf; a leaf stands just before its first user."""
    depth = {}
    for node in nodes:
        depth[node] = 1 + max((depth[parent] for parent, _ in node._parents), default=-1)
    for node in nodes:
        if not node._parents:
            users = [depth[n] for n in nodes for parent, _ in n._parents if parent is node]
            depth[node] = min(users, default=1) - 1
    rows = [[] for _ in range(1 + max(depth.values()))]
    for node in nodes:
        rows[depth[node]].append(node)
    return [row for row in rows if row]
