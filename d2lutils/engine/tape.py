"""The tape: tensors that remember how they were made, and the walk back along that memory.

A :class:`Tensor` made by an operation keeps, for each input, the function that turns the gradient of the output into
the gradient of that input. Tensors are numbered as they are made, so going through the numbers backwards is a
topological order: no search, no recursion, however deep the graph.
"""

import itertools
from contextlib import contextmanager
from functools import wraps

import numpy as np

__all__ = ["Tensor", "no_grad", "operation"]

_numbers = itertools.count()
_recording = True


class Tensor:
    """An array and, if it depends on something that is learned, the way back to it.

    Args:
        data: array, number or nested lists. requires_grad: whether gradients are wanted; floats only.

    Attributes:
        data: the values, a read-only view; assign a whole array to replace them, or write ``t[...] = values``.
        grad: NumPy array of the same shape after ``backward()``, for tensors that were not computed; else None.
    """

    __array_ufunc__ = None  # array * tensor must ask the tensor
    __slots__ = ("__weakref__", "_data", "_freed", "_number", "_parents", "_saved", "_version", "grad", "name",
                 "operation", "requires_grad")  # fmt: skip

    def __init__(self, data, requires_grad=False, name=""):
        self._data = data._data.copy() if isinstance(data, Tensor) else np.array(data)  # a copy: nobody else holds it
        if self._data.dtype.kind not in "biuf":
            raise TypeError(f"a tensor holds numbers, got {self._data.dtype}; to join tensors use stack or concat")
        if requires_grad and self._data.dtype.kind != "f":
            raise TypeError(f"only floats have gradients, got {self._data.dtype}; give floats, e.g. 1.0 instead of 1")
        self.requires_grad, self.grad, self.name = requires_grad, None, name
        self.operation, self._parents, self._saved, self._freed = "", (), (), False
        self._number, self._version = next(_numbers), [0]  # the version is shared by all that share the memory

    @property
    def data(self):
        view = self._data.view()
        view.flags.writeable = False
        return view

    @data.setter
    def data(self, values):
        self[...] = values

    shape = property(lambda self: self._data.shape, doc="Length of each axis.")
    ndim = property(lambda self: self._data.ndim, doc="Number of axes.")
    size = property(lambda self: self._data.size, doc="Number of elements.")
    dtype = property(lambda self: self._data.dtype, doc="NumPy type of the elements.")

    def __len__(self):
        return len(self._data)

    def __repr__(self):
        origin = f", made by {self.operation}" if self.operation else ", requires_grad" if self.requires_grad else ""
        return f"Tensor({np.array2string(self._data, precision=4, threshold=20)}{origin})"

    def item(self):
        """The only element as a Python number."""
        return self._data.item()

    def detach(self):
        """The same values without their history (shared memory: a change of one is seen by the other)."""
        return _share(self._data, [self])

    def __setitem__(self, place, values):
        """Change values in place. A later ``backward`` through a result that needs the old ones is refused."""
        if self._parents and _recording:
            raise RuntimeError(
                f"the result of {self.operation} cannot be changed in place while it is recorded; compute a new "
                "tensor, or work under no_grad()"
            )
        if _recording and isinstance(values, Tensor) and values.requires_grad:
            raise RuntimeError("assigning would lose the gradient of the values; assign values.detach(), or use concat")
        self._data[place] = values._data if isinstance(values, Tensor) else values
        self._version[0] += 1

    def backward(self, gradient=None, retain_graph=False):
        """Add d(self)/d(leaf) to the ``grad`` of every leaf that requires gradients.

        Args:
            gradient: of the final result with respect to self; 1 for a single number.
            retain_graph: keep the graph for another backward; otherwise its memory is given back.

        Raises:
            RuntimeError: nothing to differentiate, a graph already given back, a needed value changed in place.
            ValueError: gradient of another shape, or missing for more than one number.
        """
        if not self.requires_grad:
            raise RuntimeError("this tensor depends on nothing that requires gradients; was it made under no_grad()?")
        if gradient is None and self.size != 1:
            raise ValueError(f"backward() starts from one number, this tensor has shape {self.shape}; sum it first")
        gradient = np.ones(self.shape, self.dtype) if gradient is None else np.asarray(gradient, self.dtype)
        if gradient.shape != self.shape:
            raise ValueError(f"the gradient must have shape {self.shape}, got {gradient.shape}")
        nodes = ancestors(self)
        for node in nodes:
            _check_whole(node)
        gradients, owned = {self: gradient}, set()  # owned: made here, so it may be added to in place
        for node in nodes:
            g = gradients.pop(node)
            if not node._parents:
                node.grad = g.copy() if node.grad is None else node.grad + g
                continue
            for parent, backward in node._parents:
                part = backward(g)
                if isinstance(part, Piece):
                    if parent not in owned:
                        before = gradients.get(parent)
                        gradients[parent] = np.zeros(parent.shape, g.dtype) if before is None else np.array(before)
                        owned.add(parent)
                    part.add_to(gradients[parent])
                else:
                    part = _sum_to(part, parent.shape)
                    gradients[parent] = gradients[parent] + part if parent in gradients else part
            if not retain_graph:
                node._parents, node._saved, node._freed = (), (), True


class Piece:
    """A gradient that is zero except at one place: what ``a[place]`` sends back, without an array full of zeros."""

    def __init__(self, place, gradient, unique):
        self.place, self.gradient, self.unique = place, gradient, unique

    def add_to(self, whole):
        """Add it where it belongs; a place may name an element twice."""
        if self.unique:
            whole[self.place] += self.gradient
        else:
            np.add.at(whole, self.place, self.gradient)


def operation(forward):
    """Make ``forward(*arrays, **settings) -> (value, backward, …)`` an operation on tensors.

    ``forward`` sees plain arrays and returns its value and, for each input, a function from the gradient of the value
    to the gradient of that input. Broadcasting needs no care there: gradients are summed back to the input's shape.
    """

    @wraps(forward)
    def run(*inputs, **settings):
        wrong = [name for name, setting in settings.items() if isinstance(setting, Tensor)]
        if wrong:
            raise TypeError(f"{forward.__name__}: {wrong[0]} is a setting, not an input; give tensors by position")
        value, *backwards = forward(*(x._data if isinstance(x, Tensor) else x for x in inputs), **settings)
        result = _share(np.asarray(value), inputs)
        if _recording:
            pairs = zip(inputs, backwards, strict=False)
            parents = tuple((x, back) for x, back in pairs if isinstance(x, Tensor) and x.requires_grad)
            if parents:
                result.requires_grad, result.operation, result._parents = True, forward.__name__, parents
                result._saved = _needed(parents, (*inputs, result))
        return result

    return run


@contextmanager
def no_grad():
    """Compute without recording: no graph, no memory, no gradients."""
    global _recording
    before, _recording = _recording, False
    try:
        yield
    finally:
        _recording = before


def _needed(parents, tensors):
    """Which tensors' values the backward functions hold on to, with their versions, to notice a later change."""
    held = {id(cell.cell_contents) for _, back in parents for cell in back.__closure__ or ()}
    *inputs, result = tensors
    saved = [(x, x._version[0]) for x in inputs if isinstance(x, Tensor) and id(x._data) in held]
    own = ((None, result._version[0]),) if id(result._data) in held else ()  # None: itself, without a cycle
    return (*saved, *own)


def _share(array, sources):
    """A tensor on an array without a copy; if it is a view of a source, the two notice each other's changes."""
    tensor = Tensor(0.0)
    tensor._data = array
    for source in sources:
        if isinstance(source, Tensor) and np.may_share_memory(array, source._data):
            tensor._version = source._version
    return tensor


def ancestors(root):
    """Root and all tensors that it depends on and that want gradients, the newest first."""
    seen, stack = {root}, [root]
    while stack:
        for parent, _ in stack.pop()._parents:
            if parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return sorted(seen, key=lambda node: -node._number)


def _check_whole(node):
    """Raise RuntimeError if the way back through a tensor was given up, or a value that it needs was changed."""
    if node._freed:
        raise RuntimeError(
            f"the graph behind this {node.operation} was already used and given back; compute the loss again, or "
            "call the first backward(retain_graph=True)"
        )
    for tensor, version in node._saved:
        tensor = node if tensor is None else tensor
        if tensor._version[0] != version:
            raise RuntimeError(
                f"{node.operation} needs a value{f' of {tensor.name}' if tensor.name else ''} that was changed in "
                f"place after it was used (shape {tensor.shape}); change it after backward(), or change a copy"
            )


def _sum_to(gradient, shape):
    """Undo broadcasting: sum over the axes that were added or stretched."""
    if gradient.shape == shape:
        return gradient
    gradient = gradient.sum(axis=tuple(range(gradient.ndim - len(shape))))
    stretched = tuple(i for i, n in enumerate(shape) if n != gradient.shape[i])
    return gradient.sum(axis=stretched, keepdims=True) if stretched else gradient
