"""The engine against central differences for every operation, and against PyTorch for values, gradients and updates."""

import gc
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from d2lutils import TrainingDiverged, engine
from d2lutils.engine import Tensor, nn, no_grad, optim

shapes = st.lists(st.integers(0, 3), max_size=3).map(tuple)


def numbers(shape, seed=0, low=-2.0, high=2.0):
    return np.random.default_rng(seed).uniform(low, high, shape)


def stretched(draw, shape):
    """A shape that broadcasts with ``shape``: some axes of length 1, some leading axes left out."""
    ones = tuple(1 if draw(st.booleans()) else n for n in shape)
    return ones[draw(st.integers(0, len(ones))) :]


def check(function, *arrays, **settings):
    """Gradients of a random weighting of the output equal central differences."""
    inputs = [Tensor(a, requires_grad=True) for a in arrays]
    output = function(*inputs, **settings)
    weights = numbers(output.shape, seed=9)
    output.backward(weights)
    for place, array in enumerate(arrays):
        expected, flat = np.zeros(array.shape), array.reshape(-1)
        for i in range(array.size):
            ends = []
            for sign in (1, -1):
                moved = flat.copy()
                moved[i] += sign * 1e-6
                changed = [moved.reshape(array.shape) if k == place else a for k, a in enumerate(arrays)]
                ends.append((function(*map(Tensor, changed), **settings).data * weights).sum())
            expected.reshape(-1)[i] = (ends[0] - ends[1]) / 2e-6
        np.testing.assert_allclose(inputs[place].grad, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["neg", "exp", "tanh", "sigmoid", "relu"])
@given(shape=shapes)
def test_elementwise(name, shape):
    check(getattr(engine, name), numbers(shape))


@given(shape=shapes, exponent=st.sampled_from([2, 3, 0.5, -1]))
def test_log_and_power(shape, exponent):
    check(engine.log, numbers(shape, low=0.5))
    check(engine.power, numbers(shape, low=0.5), exponent=exponent)


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div"])
@given(shape=shapes, draw=st.data())
def test_broadcasting(name, shape, draw):
    other = stretched(draw.draw, shape)
    for first, second in ((shape, other), (other, shape)):
        check(getattr(engine, name), numbers(first), numbers(second, seed=1, low=0.5))


@given(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.lists(st.integers(0, 2), max_size=2), st.data())
def test_matmul(n, k, m, batch, draw):
    batch = tuple(batch)
    other = stretched(draw.draw, batch)
    check(engine.matmul, numbers((*batch, n, k)), numbers((*other, k, m), seed=1))
    check(engine.matmul, numbers((*other, n, k)), numbers((*batch, k, m), seed=1))


@pytest.mark.parametrize("name", ["sum", "mean", "max"])
@given(shape=st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple), keepdims=st.booleans(), draw=st.data())
def test_reductions(name, shape, keepdims, draw):
    axes = st.integers(-len(shape), len(shape) - 1)
    axis = draw.draw(st.none() | axes | st.just(tuple(range(len(shape)))))
    check(getattr(engine, name), numbers(shape), axis=axis, keepdims=keepdims)


def test_sums_of_nothing():
    check(engine.sum, numbers((0, 3)), axis=0)
    check(engine.sum, numbers((2, 0)))


def test_equal_maxima_share_the_gradient():
    x = Tensor([1.0, 3.0, 3.0], requires_grad=True)
    x.max().backward()
    np.testing.assert_array_equal(x.grad, [0, 0.5, 0.5])


@given(shape=shapes, draw=st.data())
def test_shapes_change_and_come_back(shape, draw):
    axes = tuple(draw.draw(st.permutations(range(len(shape)))))
    check(engine.transpose, numbers(shape), axes=axes)
    check(engine.transpose, numbers(shape))
    check(engine.reshape, numbers(shape), shape=(int(np.prod(shape)),))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=3), st.integers(0, 1))
def test_concat_and_stack(lengths, axis):
    check(engine.concat, *(numbers((n, 2) if axis == 0 else (2, n), seed=n) for n in lengths), axis=axis)
    check(engine.stack, *(numbers((2, 3), seed=n) for n in lengths), axis=axis)


PLACES = [0, slice(1, 3), (slice(None), 1), [0, 0, 2], (np.array([0, 1, 1]), np.array([2, 0, 0]))]


@pytest.mark.parametrize("place", PLACES)
def test_take(place):
    check(engine.take, numbers((4, 3)), place=place)


@given(st.integers(1, 5), st.lists(st.integers(0, 4), max_size=6), st.integers(0, 3))
def test_rows_is_a_one_hot_product(num_rows, indices, width):
    indices = np.array(indices, dtype=int).reshape(-1) % num_rows
    W = numbers((num_rows, width))
    check(engine.rows, W, indices=indices)
    np.testing.assert_allclose(engine.rows(Tensor(W), indices=indices).data, np.eye(num_rows)[indices] @ W)


@given(st.integers(1, 4), st.integers(1, 4), st.sampled_from(["mean", "sum"]))
def test_softmax_and_cross_entropy(n, num_classes, reduction):
    targets = np.arange(n) % num_classes
    check(engine.softmax, numbers((n, num_classes)))
    check(engine.log_softmax, numbers((n, num_classes)))
    check(engine.cross_entropy, numbers((n, num_classes)), targets=targets, reduction=reduction)


def test_cross_entropy_does_not_overflow():
    logits = Tensor(np.array([[1e4, -1e4], [0.0, 0.0]]), requires_grad=True)
    loss = engine.cross_entropy(logits, targets=np.array([1, 0]), reduction="sum")
    loss.backward()
    assert loss.item() == pytest.approx(2e4 + np.log(2))
    assert np.isfinite(logits.grad).all()


def test_dropout_keeps_the_mean_and_masks_the_gradient():
    x = Tensor(np.ones((200, 200)), requires_grad=True)
    y = engine.dropout(x, rate=0.25, rng=np.random.default_rng(0))
    y.sum().backward()
    assert y.data.mean() == pytest.approx(1, abs=0.02)
    np.testing.assert_array_equal(x.grad, y.data)
    with pytest.raises(ValueError, match=r"rate must lie in \[0, 1\), got 1"):
        engine.dropout(x, rate=1, rng=None)


def test_python_numbers_do_not_change_the_type():
    x = Tensor(np.ones(2, np.float32), requires_grad=True)
    y = 1 - (2.0 * x + 1) / 3 - x**2
    assert y.dtype == np.float32
    y.sum().backward()
    assert x.grad.dtype == np.float32
    assert isinstance(np.ones(2) * x, Tensor)


def ours_and_torchs():
    """(name, ours, torch's, shapes) for every operation that torch has too."""
    F = torch.nn.functional
    y = np.array([2, 0])
    for name in ("exp", "tanh", "sigmoid", "relu", "neg"):
        yield name, getattr(engine, name), getattr(torch, name), [(2, 3)]
    for name in ("add", "sub", "mul", "div"):
        yield name, getattr(engine, name), getattr(torch, name), [(4, 2, 3), (2, 1)]
    yield "log", lambda a: engine.log(a * a), lambda a: torch.log(a * a), [(2, 3)]
    yield "power", lambda a: a**3, lambda a: a**3, [(2, 3)]
    yield "matmul", engine.matmul, torch.matmul, [(4, 2, 3), (3, 5)]
    yield "sum", lambda a: engine.sum(a, axis=1), lambda a: a.sum(1), [(2, 3)]
    yield "mean", lambda a: engine.mean(a, axis=0), lambda a: a.mean(0), [(2, 3)]
    yield "max", lambda a: engine.max(a, axis=1), lambda a: a.amax(1), [(2, 3)]
    yield "softmax", engine.softmax, lambda a: a.softmax(-1), [(2, 3)]
    yield "log_softmax", engine.log_softmax, lambda a: a.log_softmax(-1), [(2, 3)]
    yield "transpose", lambda a: engine.transpose(a, axes=(1, 0, 2)), lambda a: a.permute(1, 0, 2), [(2, 3, 4)]
    yield "concat", lambda a, b: engine.concat(a, b, axis=1), lambda a, b: torch.cat((a, b), 1), [(2, 3), (2, 1)]
    yield "stack", engine.stack, lambda a, b: torch.stack((a, b)), [(2, 3), (2, 3)]
    yield "take", lambda a: a[[0, 0, 1]], lambda a: a[[0, 0, 1]], [(2, 3)]
    yield "rows", lambda W: engine.rows(W, indices=y), lambda W: F.embedding(torch.from_numpy(y), W), [(3, 2)]
    yield (
        "cross_entropy",
        lambda a: engine.cross_entropy(a, targets=y),
        lambda a: F.cross_entropy(a, torch.from_numpy(y)),
        [(2, 3)],
    )


@pytest.mark.parametrize(("dtype", "bound"), [(np.float32, 1e-6), (np.float64, 1e-10)])
@pytest.mark.parametrize(("name", "ours", "theirs", "shapes"), list(ours_and_torchs()))
def test_operations_are_torchs(name, ours, theirs, shapes, dtype, bound):
    arrays = [numbers(shape, seed=i, low=0.3).astype(dtype) for i, shape in enumerate(shapes)]
    inputs = [Tensor(a, requires_grad=True) for a in arrays]
    references = [torch.from_numpy(a.copy()).requires_grad_() for a in arrays]
    output, reference = ours(*inputs), theirs(*references)
    weights = numbers(output.shape, seed=9).astype(dtype)
    output.backward(weights)
    reference.backward(torch.from_numpy(np.asarray(weights)))
    np.testing.assert_allclose(output.data, reference.detach(), rtol=bound, atol=bound)
    for own, other in zip(inputs, references, strict=True):
        np.testing.assert_allclose(own.grad, other.grad, rtol=10 * bound, atol=bound)


CELLS = {"RNN": (nn.RNNCell, torch.nn.RNN), "GRU": (nn.GRUCell, torch.nn.GRU), "LSTM": (nn.LSTMCell, torch.nn.LSTM)}


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(("dtype", "bound"), [(np.float32, 1e-6), (np.float64, 1e-10)])
def test_layers_are_torchs(name, dtype, bound):
    """Values and all gradients, with the same weights."""
    (ours, theirs), rng = CELLS[name], np.random.default_rng(0)
    cell, layer = ours(5, 4, rng), theirs(5, 4, dtype=torch.from_numpy(np.zeros(1, dtype)).dtype)
    for parameter in cell.parameters():
        parameter._data = parameter._data.astype(dtype)
    order = [1, 0, 2] if name == "GRU" else range(ours.gates)  # torch: reset before update

    def torchs(array):
        return torch.from_numpy(np.concatenate([np.split(array, ours.gates, -1)[i] for i in order], -1).T.copy())

    with torch.no_grad():
        layer.weight_ih_l0.copy_(torchs(cell.W_xh.data))
        layer.weight_hh_l0.copy_(torchs(cell.W_hh.data))
        layer.bias_ih_l0.copy_(torchs(cell.b_h.data))
        layer.bias_hh_l0.zero_()
    X = rng.normal(size=(6, 3, 5)).astype(dtype)
    hiddens, _ = nn.RNN(cell)(Tensor(X))
    outputs, _ = layer(torch.from_numpy(X))
    weights = rng.normal(size=outputs.shape).astype(dtype)
    hiddens.backward(weights)
    outputs.backward(torch.from_numpy(weights))
    np.testing.assert_allclose(hiddens.data, outputs.detach(), rtol=0, atol=bound)
    pairs = (cell.W_xh, layer.weight_ih_l0), (cell.W_hh, layer.weight_hh_l0), (cell.b_h, layer.bias_ih_l0)
    for own, other in pairs:
        np.testing.assert_allclose(torchs(own.grad), other.grad, rtol=bound, atol=10 * bound)


@pytest.mark.parametrize("name", CELLS)
def test_indices_are_one_hot_inputs(name):
    cell = CELLS[name][0](5, 4, np.random.default_rng(0))
    X = np.random.default_rng(1).integers(0, 5, (3, 6))
    fast, _ = nn.RNN(cell)(X)
    plain, _ = nn.RNN(cell)(Tensor(np.eye(5, dtype=np.float32)[X.T]))
    np.testing.assert_allclose(fast.data, plain.data, atol=1e-6)


OPTIMIZERS = [
    (optim.SGD, torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    (optim.SGD, torch.optim.SGD, {"lr": 0.1}),
    (optim.RMSprop, torch.optim.RMSprop, {"lr": 0.01}),
    (optim.Adam, torch.optim.Adam, {"lr": 0.01}),
    (optim.Adam, torch.optim.Adam, {"lr": 0.01, "weight_decay": 0.1}),
    (optim.AdamW, torch.optim.AdamW, {"lr": 0.01, "weight_decay": 0.1}),
]


@pytest.mark.parametrize(("ours", "theirs", "settings"), OPTIMIZERS)
def test_optimisers_walk_as_torchs(ours, theirs, settings):
    """100 steps down a crooked valley, with a detour over state_dict in the middle."""
    start = numbers((3, 2))
    w, v = nn.Parameter(start), torch.from_numpy(start.copy()).requires_grad_()
    optimizer, reference = ours([w], **settings), theirs([v], **settings)
    for step in range(100):
        if step == 50:
            state, optimizer = optimizer.state_dict(), ours([w], **settings)
            optimizer.load_state_dict(state)
        for parameter, side in ((w, optimizer), (v, reference)):
            side.zero_grad()
            ((parameter * parameter).sum() + (parameter[0] * parameter[1]).sum() * 1.5).backward()
            side.step()
        np.testing.assert_allclose(w.data, v.detach(), rtol=1e-10, atol=1e-12)


def test_optimisers_and_clipping_name_bad_input():
    w = nn.Parameter(np.ones(2))
    with pytest.raises(ValueError, match="no parameters"):
        optim.SGD([], 0.1)
    with pytest.raises(ValueError, match="lr must be positive and finite, got -1"):
        optim.SGD([w], -1)
    with pytest.raises(ValueError, match="another optimiser"):
        optim.Adam([w]).load_state_dict(optim.SGD([w], 1).state_dict())
    w.grad = np.array([3.0, 4.0])
    assert optim.clip_grad_norm([w], 1.0) == 5
    np.testing.assert_allclose(w.grad, [0.6, 0.8])
    w.grad = np.array([np.nan, 0])
    with pytest.raises(TrainingDiverged, match="nan"):
        optim.clip_grad_norm([w], 1.0)


def test_gradients_add_up_and_paths_join():
    x = Tensor(2.0, requires_grad=True)
    y = x * x
    (y * y + y).backward()
    assert x.grad == 4 * 8 + 4
    (x * 3).backward()
    assert x.grad == 39


def test_a_second_backward_is_refused_unless_asked_for():
    x = Tensor(3.0, requires_grad=True)
    loss = x.exp()
    loss.backward(retain_graph=True)
    loss.backward()
    with pytest.raises(RuntimeError, match=r"exp was already used and given back.*retain_graph=True"):
        loss.backward()


def test_a_value_changed_in_place_is_noticed_and_named():
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    w = Tensor([1.0, 2.0], requires_grad=True, name="w")
    loss = (x * w).sum()
    with no_grad():
        w[0] = 5.0
    with pytest.raises(RuntimeError, match="mul needs a value of w that was changed in place"):
        loss.backward()
    loss = (x + w).sum()  # a sum needs no values: nothing wrong here
    w.data = [0.0, 0.0]
    loss.backward()
    np.testing.assert_array_equal(w.grad, [1, 1])


@pytest.mark.parametrize(
    "shared", [lambda w: w.reshape(2, 1), lambda w: w[0:1], lambda w: w.T, lambda w: w.detach(), lambda w: w]
)
def test_changes_through_shared_memory_are_noticed(shared):
    w = Tensor([1.0, 2.0], requires_grad=True)
    view = shared(w)
    loss = (view * view * w[0]).sum() if view.requires_grad else (w * w).sum()
    with no_grad():
        (w if view.requires_grad else view)[0] = 5.0
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()


def test_a_tensor_has_memory_of_its_own():
    x = np.ones(2)
    t = Tensor(x, requires_grad=True)
    indices, targets = np.array([0, 1]), np.array([0])
    loss = (t * t).sum() + engine.rows(t.reshape(2, 1), indices=indices).sum()
    loss = loss + engine.cross_entropy(t.reshape(1, 2), targets=targets)
    x[0], indices[0], targets[0] = 100.0, 1, 1
    loss.backward()
    np.testing.assert_allclose(t.grad, [2 + 1 + 0.5 - 1, 2 + 1 + 0.5])


def test_what_would_lose_a_gradient_is_refused():
    w, b = Tensor([1.0], requires_grad=True), Tensor([0.0])
    with pytest.raises(RuntimeError, match="lose the gradient"):
        b[...] = w * 3.0
    with pytest.raises(TypeError, match="exponent is a setting"):
        engine.power(w, exponent=w)
    with pytest.raises(TypeError, match=r"stack\(\*tensors\)"):
        engine.stack([w, w])
    with pytest.raises(TypeError, match=r"concat\(\*tensors\)"):
        engine.concat([w, w])
    with pytest.raises(TypeError, match="holds numbers"):
        Tensor([w, w])


@pytest.mark.parametrize("indices", [[-1], [3], [0.5], [True]])
def test_indices_and_targets_outside_are_refused(indices):
    with pytest.raises(ValueError, match=r"integers in 0 … 2, got"):
        engine.rows(Tensor(np.ones((3, 2)), requires_grad=True), indices=indices)
    with pytest.raises(ValueError, match=r"integers in 0 … 2, got"):
        engine.cross_entropy(Tensor(np.ones((1, 3)), requires_grad=True), targets=indices)


def test_odd_corners():
    w = Tensor(2.0, requires_grad=True)
    (w.reshape(1)[0] * 3 + w * w + w**0).backward()
    assert w.grad == 7
    check(engine.transpose, numbers((2, 2, 3)), axes=(-1, 0, 1))


def test_a_result_changed_in_place_is_noticed():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = x.tanh()
    with pytest.raises(RuntimeError, match="result of tanh cannot be changed in place"):
        y[0] = 0.0
    with no_grad():
        y[0] = 0.0
    with pytest.raises(RuntimeError, match="tanh needs a value"):
        y.sum().backward()


def test_data_is_read_only():
    x = Tensor([1.0], requires_grad=True)
    with pytest.raises(ValueError, match="read-only"):
        x.data[0] = 2.0


def test_no_grad_records_nothing_and_detach_cuts():
    x = Tensor([1.0], requires_grad=True)
    with no_grad():
        y = x * 2
    assert not y.requires_grad
    assert not x.detach().requires_grad
    with pytest.raises(RuntimeError, match="under no_grad"):
        y.sum().backward()


def test_bad_starts_of_backward_are_named():
    x = Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(ValueError, match=r"shape \(2,\); sum it first"):
        (x * 2).backward()
    with pytest.raises(ValueError, match=r"must have shape \(2,\), got \(3,\)"):
        (x * 2).backward(np.ones(3))
    with pytest.raises(TypeError, match="only floats have gradients, got int64"):
        Tensor([1, 2], requires_grad=True)


def test_deep_graphs_need_no_recursion():
    x = Tensor(1.0, requires_grad=True)
    y = x
    for _ in range(10_000):
        y = y * 1.0001 + 0.0
    y.backward()
    assert x.grad == pytest.approx(1.0001**10_000)
    z = x
    for _ in range(100_000):
        z = z + 1.0
    del z  # never walked back: giving it up must not recurse either


def test_memory_comes_back_after_backward():
    """Counted without the garbage collector: the graph must hold no cycle."""
    x = Tensor(np.ones((250, 1000)), requires_grad=True)  # 2 MB
    gc.disable()
    tracemalloc.start()
    try:
        y = x
        for _ in range(20):
            y = y.tanh()
        loss = y.sum()
        del y
        held = tracemalloc.get_traced_memory()[0]
        loss.backward()
        x.grad = None
        left = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        gc.enable()
    assert held > 20 * 2e6
    assert left < 0.1e6


def test_the_graph_of_a_value_is_drawn():
    x, w = Tensor([1.0, 2.0], requires_grad=True, name="x"), Tensor([3.0, 4.0], requires_grad=True, name="w")
    loss = (x * w + x).sum()
    picture = engine.draw_graph(loss)
    texts = sorted(text.get_text() for text in picture.ax.texts if text.get_text())
    assert texts == ["add\n2", "mul\n2", "sum\n1", "w\n2", "x\n2"]
    assert sum(hasattr(child, "arrow_patch") and child.arrow_patch is not None for child in picture.ax.texts) == 5
    with pytest.raises(ValueError, match="5 tensors, more than 4"):
        engine.draw_graph(loss, most=4)
    loss.backward()
    with pytest.raises(ValueError, match="given back"):
        engine.draw_graph(loss)


def test_modules_find_their_parameters_by_name():
    class Model(nn.Module):
        def __init__(self):
            rng = np.random.default_rng(0)
            self.embedding, self.rnn = nn.Embedding(5, 3, rng), nn.RNN(nn.GRUCell(3, 4, rng))
            self.dropout, self.dense = nn.Dropout(0.5, rng), nn.Linear(4, 5, rng)

    model = Model()
    names = [name for name, _ in model.named_parameters()]
    assert names == ["embedding.W", "rnn.cell.W_xh", "rnn.cell.W_hh", "rnn.cell.b_h", "dense.W", "dense.b"]
    state = model.state_dict()
    other = Model()
    other.dense.b[...] = 7.0
    other.load_state_dict(state)
    np.testing.assert_array_equal(other.dense.b.data, state["dense.b"])
    with pytest.raises(ValueError, match="names differ"):
        other.load_state_dict({})
    with pytest.raises(ValueError, match=r"dense.b has shape \(2,\), the model expects \(5,\)"):
        other.load_state_dict({**state, "dense.b": np.zeros(2)})
    x = Tensor(np.ones((2, 4)))
    assert model.eval().dropout(x) is x
    assert model.train().dropout(x) is not x
