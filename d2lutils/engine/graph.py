"""A picture of the graph behind a value: operations as boxes, leaves on the left, the value on the right."""

from ..draw import Diagram

__all__ = ["draw_graph"]


def draw_graph(root, most=60):
    """Draw what ``root`` depends on; call it before ``backward()``, which gives the graph back.

    Args:
        root: a Tensor. most: refuse larger graphs, which nobody could read.

    Returns:
        Diagram. Raises ValueError for a graph of more than ``most`` tensors, or one already given back.
    """
    nodes, stack = {root}, [root]
    while stack:
        for parent, _ in stack.pop()._parents:
            if parent not in nodes:
                nodes.add(parent)
                stack.append(parent)
    if len(nodes) > most:
        raise ValueError(f"the graph has {len(nodes)} tensors, more than {most}; draw a shorter computation")
    if root._freed:
        raise ValueError("the graph was given back by backward(); draw it before, or use retain_graph=True")
    columns = _columns(nodes)
    height = 1.4 * max(map(len, columns))
    picture, boxes = Diagram(2.3 * len(columns), height + 0.4), {}
    for x, column in enumerate(columns):
        for y, node in enumerate(column):
            place = 1.15 + 2.3 * x, 0.2 + height * (y + 0.5) / len(column)
            label = node.operation or node.name or "leaf"
            kind = "gate" if not node._parents else "output" if node is root else "state"
            boxes[node] = picture.box(*place, f"{label}\n{'×'.join(map(str, node.shape)) or '1'}", 1.8, 1.0, kind, 9)
    for node in nodes:
        for parent, _ in node._parents:
            picture.arrow(boxes[parent], boxes[node])
    return picture


def _columns(nodes):
    """Tensors by their longest distance from a leaf; a leaf stands just before its first user."""
    depth = {}
    for node in sorted(nodes, key=lambda node: node._number):
        depth[node] = 1 + max((depth[parent] for parent, _ in node._parents), default=-1)
    for node in nodes:
        if not node._parents:
            users = [depth[n] for n in nodes for parent, _ in n._parents if parent is node]
            depth[node] = min(users, default=1) - 1
    columns = [[] for _ in range(1 + max(depth.values()))]
    for node in sorted(nodes, key=lambda node: node._number):
        columns[depth[node]].append(node)
    return [column for column in columns if column]
