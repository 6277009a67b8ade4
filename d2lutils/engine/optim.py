"""Optimisers with PyTorch's update rules, for parameters that all have a gradient in every step."""

import math

import numpy as np

from ..errors import TrainingDiverged

__all__ = ["SGD", "Adam", "AdamW", "RMSprop", "clip_grad_norm"]


class Optimizer:
    """Updates parameters in place. Subclasses say how one parameter moves (:meth:`move`) and what they remember."""

    memories = ()  # names of the arrays kept for each parameter

    def __init__(self, parameters, lr):
        self.parameters, self.lr, self.num_steps = list(parameters), lr, 0
        if not self.parameters:
            raise ValueError("there are no parameters to optimise")
        if not 0 < lr < math.inf:
            raise ValueError(f"lr must be positive and finite, got {lr}")
        self.memory = [{name: np.zeros(p.shape, p.dtype) for name in self.memories} for p in self.parameters]

    def step(self):
        """One update from the gradients; parameters without a gradient stay."""
        self.num_steps += 1
        for parameter, memory in zip(self.parameters, self.memory, strict=True):
            if parameter.grad is not None:
                parameter[...] = self.move(parameter.data, parameter.grad, **memory)

    def zero_grad(self):
        """Forget all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def state_dict(self):
        """Everything a resumed run needs, as named arrays."""
        arrays = {f"{name}.{i}": a.copy() for i, m in enumerate(self.memory) for name, a in m.items()}
        return {**arrays, "num_steps": np.array(self.num_steps)}

    def load_state_dict(self, state):
        """Take what :meth:`state_dict` gave."""
        expected = set(self.state_dict())
        if expected != set(state):
            raise ValueError(f"the state is of another optimiser: expected {sorted(expected)}, got {sorted(state)}")
        self.num_steps = int(state["num_steps"])
        for i, memory in enumerate(self.memory):
            for name, array in memory.items():
                array[...] = state[f"{name}.{i}"]


class SGD(Optimizer):
    """w -= lr · v, with v = momentum · v + g."""

    memories = ("velocity",)

    def __init__(self, parameters, lr, momentum=0.0):
        super().__init__(parameters, lr)
        self.momentum = momentum

    def move(self, w, g, velocity):
        velocity *= self.momentum
        velocity += g
        return w - self.lr * velocity


class RMSprop(Optimizer):
    """w -= lr · g / (sqrt(mean of g²) + eps)."""

    memories = ("square",)

    def __init__(self, parameters, lr=1e-2, alpha=0.99, eps=1e-8):
        super().__init__(parameters, lr)
        self.alpha, self.eps = alpha, eps

    def move(self, w, g, square):
        square *= self.alpha
        square += (1 - self.alpha) * g * g
        return w - self.lr * g / (np.sqrt(square) + self.eps)


class Adam(Optimizer):
    """Kingma & Ba (2015): means of g and g², corrected for their start at zero."""

    memories = ("mean", "square")

    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(parameters, lr)
        self.betas, self.eps, self.weight_decay = betas, eps, weight_decay

    def move(self, w, g, mean, square):
        if self.weight_decay:
            g = g + self.weight_decay * w
        return self._adapt(w, g, mean, square)

    def _adapt(self, w, g, mean, square):
        first, second = self.betas
        mean *= first
        mean += (1 - first) * g
        square *= second
        square += (1 - second) * g * g
        size = self.lr / (1 - first**self.num_steps)
        return w - size * mean / (np.sqrt(square) / math.sqrt(1 - second**self.num_steps) + self.eps)


class AdamW(Adam):
    """Adam with weight decay apart from the gradient (Loshchilov & Hutter, 2019)."""

    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(parameters, lr, betas, eps, weight_decay)

    def move(self, w, g, mean, square):
        return self._adapt(w * (1 - self.lr * self.weight_decay), g, mean, square)


def clip_grad_norm(parameters, theta):
    """Scale all gradients so that their joint L2 norm is at most ``theta``; returns the norm before.

    Raises:
        TrainingDiverged: the norm is NaN or infinite.
    """
    if not theta > 0:
        raise ValueError(f"theta must be above 0, got {theta}")
    parameters = [p for p in parameters if p.grad is not None]
    norm = math.sqrt(sum(float(np.square(p.grad, dtype=np.float64).sum()) for p in parameters))
    if not math.isfinite(norm):
        raise TrainingDiverged(f"the norm of the gradient is {norm}; lower the learning rate")
    if norm > theta:
        for p in parameters:
            p.grad = p.grad * p.dtype.type(theta / norm)
    return norm
