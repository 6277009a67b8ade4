"""Modules: parameters with names, and the layers of the book, on the engine."""

import numpy as np

from ..errors import check_positive
from .operations import concat, dropout, matmul, rows, sigmoid, stack, tanh
from .tape import Tensor

__all__ = ["RNN", "Dropout", "Embedding", "GRUCell", "LSTMCell", "Linear", "Module", "Parameter", "RNNCell"]


class Parameter(Tensor):
    """A tensor that is learned."""

    __slots__ = ()

    def __init__(self, data, name=""):
        super().__init__(np.array(data), requires_grad=True, name=name)


class Module:
    """A part of a model. Attributes that are parameters or modules are found by name, in the order of assignment."""

    training = True

    def named_parameters(self, prefix=""):
        """(name, Parameter) pairs, e.g. ("rnn.W_xh", …)."""
        for name, value in vars(self).items():
            if isinstance(value, Parameter):
                yield prefix + name, value
            elif isinstance(value, Module):
                yield from value.named_parameters(f"{prefix}{name}.")

    def parameters(self):
        """All parameters."""
        return [parameter for _, parameter in self.named_parameters()]

    def modules(self):
        """This module and all inside it."""
        yield self
        for value in vars(self).values():
            if isinstance(value, Module):
                yield from value.modules()

    def zero_grad(self):
        """Forget all gradients."""
        for parameter in self.parameters():
            parameter.grad = None

    def train(self, mode=True):
        """Switch dropout on (or off)."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self):
        """Switch dropout off."""
        return self.train(False)

    def state_dict(self):
        """Name to array (copies)."""
        return {name: parameter.data.copy() for name, parameter in self.named_parameters()}

    def load_state_dict(self, state):
        """Take the values of :meth:`state_dict`; names and shapes must be the same."""
        own = dict(self.named_parameters())
        if set(own) != set(state):
            raise ValueError(f"the names differ: expected {sorted(own)}, got {sorted(state)}")
        for name, parameter in own.items():
            if parameter.shape != np.shape(state[name]):
                raise ValueError(f"{name} has shape {np.shape(state[name])}, the model expects {parameter.shape}")
        for name, parameter in own.items():
            parameter[...] = state[name]

    def __call__(self, *inputs):
        return self.forward(*inputs)


class Linear(Module):
    """x (…, d) to x W + b (…, h)."""

    def __init__(self, num_inputs, num_outputs, rng, sigma=None):
        bound = num_inputs**-0.5
        self.W = _weight(rng, (num_inputs, num_outputs), sigma, bound)
        self.b = _bias(num_outputs)

    def forward(self, x):
        return x @ self.W + self.b


class Embedding(Module):
    """Integers (…) to rows of W (…, h)."""

    def __init__(self, vocab_size, num_hiddens, rng, sigma=None):
        self.W = _weight(rng, (vocab_size, num_hiddens), sigma or 1.0, None)

    def forward(self, indices):
        return rows(self.W, indices)


class Dropout(Module):
    """Zero elements with probability ``rate`` while training."""

    def __init__(self, rate, rng):
        self.rate, self.rng = rate, rng

    def forward(self, x):
        return dropout(x, rate=self.rate, rng=self.rng) if self.training and self.rate else x


class RNNCell(Module):
    """H_t = tanh(XW + H W_hh), with XW = X W_xh + b_h computed by the caller for all steps at once."""

    gates = 1

    def __init__(self, num_inputs, num_hiddens, rng, sigma=None):
        check_positive(num_inputs=num_inputs, num_hiddens=num_hiddens)
        bound, self.num_hiddens = num_hiddens**-0.5, num_hiddens
        self.W_xh = _weight(rng, (num_inputs, self.gates * num_hiddens), sigma, bound)
        self.W_hh = _weight(rng, (num_hiddens, self.gates * num_hiddens), sigma, bound)
        self.b_h = _bias(self.gates * num_hiddens)

    def begin_state(self, batch_size):
        """Zeros, (n, h)."""
        return Tensor(np.zeros((batch_size, self.num_hiddens), self.W_hh.dtype))

    def step(self, XW, state):
        """One step: projected input (n, gates·h) and state to the new state."""
        return tanh(XW + matmul(state, self.W_hh))

    def forward(self, X, state):
        return self.step(X @ self.W_xh + self.b_h, state)


class GRUCell(RNNCell):
    """Update gate Z, reset gate R, candidate, in this order; the reset comes after the product, as in document 002."""

    gates = 3

    def step(self, XW, state):
        h, HW = self.num_hiddens, matmul(state, self.W_hh)
        gates = sigmoid(XW[:, : 2 * h] + HW[:, : 2 * h])
        Z, R = gates[:, :h], gates[:, h:]
        candidate = tanh(XW[:, 2 * h :] + R * HW[:, 2 * h :])
        return candidate + Z * (state - candidate)


class LSTMCell(RNNCell):
    """Input, forget, candidate, output, in PyTorch's order. The state is (H, C) side by side, (n, 2h)."""

    gates = 4

    def begin_state(self, batch_size):
        return Tensor(np.zeros((batch_size, 2 * self.num_hiddens), self.W_hh.dtype))

    def step(self, XW, state):
        h = self.num_hiddens
        A = XW + matmul(state[:, :h], self.W_hh)
        write, keep, show = (sigmoid(A[:, i * h : (i + 1) * h]) for i in (0, 1, 3))
        C = keep * state[:, h:] + write * tanh(A[:, 2 * h : 3 * h])
        return concat(show * tanh(C), C, axis=1)


class RNN(Module):
    """A cell along time: indices (n, T), or inputs (T, n, d), to all hidden states (T, n, h) and the last state."""

    def __init__(self, cell):
        self.cell = cell

    def forward(self, X, state=None):
        cell = self.cell
        # for indices: a one-hot product is a row look-up
        product = X @ cell.W_xh if isinstance(X, Tensor) else rows(cell.W_xh, np.asarray(X).T)
        projected = product + cell.b_h
        state = cell.begin_state(projected.shape[1]) if state is None else state
        hiddens = []
        for t in range(len(projected)):
            state = cell.step(projected[t], state)
            hiddens.append(state[:, : cell.num_hiddens] if isinstance(cell, LSTMCell) else state)
        return stack(*hiddens), state


def _weight(rng, shape, sigma, bound):
    """Normal with standard deviation sigma if given, else uniform in ±bound as in PyTorch; float32."""
    values = rng.normal(0, sigma, shape) if sigma else rng.uniform(-bound, bound, shape)
    return Parameter(values.astype(np.float32))


def _bias(size):
    return Parameter(np.zeros(size, np.float32))
