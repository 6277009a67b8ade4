"""The training loop that chapters share once they have written their own."""

import math

import numpy as np
import torch
from torch.nn import functional as F

from ..bar import progress_bar
from ..errors import TrainingDiverged, check_positive
from ..history import History
from ..metrics import perplexity
from .batches import data_iter_consecutive, data_iter_random
from .functional import grad_clipping
from .generate import evaluating

__all__ = ["detach", "evaluate", "train"]


def train(
    net,
    corpus,
    optimizer,
    *,
    num_epochs,
    batch_size,
    num_steps,
    random_iter=False,
    clip=None,
    loss_sum=False,
    valid=None,
    on_epoch=None,
    seed=0,
    progress=True,
):
    """Train a language model and return its History.

    Args:
        net: ``net(X, state) -> (logits, state)`` with X (n, T), logits (T·n, V) or (T, n, V) in time-major order, and
            ``parameters()``. A state of None asks for zeros.
        corpus: Corpus or indices.
        optimizer: a torch optimizer over the net's parameters.
        random_iter: random sampling (state set anew for each mini-batch) instead of consecutive (state carried on,
            detached). clip: threshold of the gradient norm, or None.
        loss_sum: back-propagate the summed loss (as document 002) instead of the mean (as document 004).
        valid: held-out Corpus, evaluated after each epoch, or None.
        on_epoch: called as ``on_epoch(epoch, history)``.
        seed: of the random sampling: int, NumPy Generator or None.
        progress: show a bar.

    Raises:
        TrainingDiverged: a loss, gradient or parameter is NaN or infinite. The net then has the parameters (and
            buffers) at the end of its best epoch (by held-out loss where ``valid`` is given; the initial ones before
            the first epoch has ended), and the error carries the step and the history.
    """
    check_positive(num_epochs=num_epochs)
    params = list(net.parameters())
    kept = [*params, *getattr(net, "buffers", list)()]
    device = params[0].device
    history, best = History(), (math.inf, 0, _copies(kept))
    rng, steps, valid_loss = np.random.default_rng(seed), 0, None
    if valid is not None:  # too short a text should fail now, not after an epoch
        valid_rows = max(1, min(batch_size, len(valid) // (8 * num_steps)))  # so few that the state warms up in each
        data_iter_consecutive(valid, valid_rows, num_steps)
    with progress_bar(num_epochs, "epoch", show=progress) as bar:
        for epoch in range(1, num_epochs + 1):
            if random_iter:
                batches = data_iter_random(corpus, batch_size, num_steps, device, seed=rng)
            else:
                batches = data_iter_consecutive(corpus, batch_size, num_steps, device)
            try:
                loss, num_batches = _run_epoch(net, batches, not random_iter, optimizer, params, clip, loss_sum)
                if valid is not None:
                    valid_loss = evaluate(net, valid, valid_rows, num_steps)
                    _check_finite(valid_loss, "the held-out loss", num_batches)
            except TrainingDiverged as error:
                _restore(kept, best[2])
                steps += error.step
                raise TrainingDiverged(_obituary(error, steps, epoch, best), steps, history) from None
            steps += num_batches
            history.record(loss, valid_loss)
            score = loss if valid is None else valid_loss
            if score < best[0]:
                best = (score, epoch, _copies(kept))
            bar.set_postfix(perplexity=f"{history.perplexity[-1]:.2f}")
            bar.update()
            if on_epoch:
                on_epoch(epoch, history)
    return history


@torch.no_grad()
def evaluate(net, corpus, batch_size, num_steps):
    """Mean loss in nats per token on a text, read consecutively with the state carried on."""
    device = next(iter(net.parameters())).device
    total, count, state = 0.0, 0, None
    with evaluating(net):
        for X, Y in data_iter_consecutive(corpus, batch_size, num_steps, device):
            logits, state = net(X, state)
            total += _nll(logits, Y, "sum").item()
            count += Y.numel()
    return total / count


def detach(state):
    """The same state without its history: no gradient flows back through it. Takes None, a tensor or nested tuples."""
    if state is None:
        return None
    if isinstance(state, (tuple, list)):
        return tuple(detach(s) for s in state)
    return state.detach()


def _run_epoch(net, batches, carry_state, optimizer, params, clip, loss_sum):
    """One pass; returns the mean loss and the number of mini-batches. A TrainingDiverged tells its step in the pass."""
    total, count, state = 0.0, 0, None
    for step, (X, Y) in enumerate(batches, start=1):
        try:
            nll, state = _step(net, X, Y, detach(state) if carry_state else None, optimizer, params, clip, loss_sum)
        except TrainingDiverged as error:
            error.step = step
            raise
        total, count = total + nll, count + Y.numel()
    _check_finite(sum(param.detach().double().sum().item() for param in params), "the sum of the parameters", step)
    return total / count, step


def _check_finite(value, what, step=None):
    if not math.isfinite(value):
        raise TrainingDiverged(f"{what} is {value}; lower the learning rate or clip the gradient", step)


def _step(net, X, Y, state, optimizer, params, clip, loss_sum):
    """One update; returns the summed loss of the mini-batch and the new state."""
    logits, state = net(X, state)
    loss = _nll(logits, Y, "sum" if loss_sum else "mean")
    value = loss.item()
    _check_finite(value, "the loss")
    optimizer.zero_grad()
    loss.backward()
    if clip is not None:
        grad_clipping(params, clip)
    optimizer.step()
    return value * (1 if loss_sum else Y.numel()), state


def _nll(logits, Y, reduction):
    """Cross-entropy of time-major logits, (T·n, V) or (T, n, V), with the targets Y (n, T)."""
    if logits.dim() == 3 and logits.shape[:2] != Y.T.shape:
        raise ValueError(
            f"logits must be time-major, (T, n, V) = ({Y.shape[1]}, {Y.shape[0]}, …), got {tuple(logits.shape)}; a "
            "batch-first net must return logits.transpose(0, 1)"
        )
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), Y.T.reshape(-1), reduction=reduction)


def _copies(params):
    return [param.detach().clone() for param in params]


@torch.no_grad()
def _restore(params, copies):
    for param, copy in zip(params, copies, strict=True):
        param.copy_(copy)


def _obituary(error, step, epoch, best):
    loss, best_epoch, _ = best
    kept = f"epoch {best_epoch} (perplexity {perplexity(loss):.4g})" if best_epoch else "the start"
    return f"training stopped at step {step} (epoch {epoch}): {error}. The parameters are those of {kept}"
