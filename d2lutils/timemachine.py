"""Document 000 as a program: a character RNN on the book's engine, trained on The Time Machine, resumed from a file.

Windows are taken in the order of the text, so a run is fully described by its weights, its optimiser and the number of
steps taken: stopped anywhere and resumed, it goes on as if it had never stopped, bit for bit.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from .checkpoint import load_tensors, save_tensors
from .data.loaders import letters, load_time_machine
from .decoding import next_token
from .engine import cross_entropy, nn, no_grad, optim
from .errors import TrainingDiverged
from .sampling import sliding_windows
from .text import Corpus

__all__ = ["CharRNN", "Run", "Settings", "load_corpus", "load_run", "save_run", "train_epoch", "write"]


@dataclass(frozen=True)
class Settings:
    """The settings that fit document 000's log. sigma: deviations of the initial recurrent and output weights."""

    num_hiddens: int = 32
    num_steps: int = 32
    batch_size: int = 1024
    lr: float = 1e-3
    clip: float = 1.0
    sigma: tuple = (0.01, 0.02)
    seed: int = 0


class CharRNN(nn.Module):
    """Indices (n, T) to logits (T·n, V) in time-major order, and the last state (n, h)."""

    def __init__(self, num_hiddens, vocab_size, rng, sigma):
        self.rnn = nn.RNN(nn.RNNCell(vocab_size, num_hiddens, rng, sigma[0]))
        self.dense = nn.Linear(num_hiddens, vocab_size, rng, sigma[1])

    def forward(self, X, state=None):
        hiddens, state = self.rnn(X, state)
        return self.dense(hiddens.reshape(-1, hiddens.shape[-1])), state


@dataclass
class Run:
    """A training run at any moment.

    Attributes:
        epoch, step: finished epochs, and finished steps of the present one.
        loss_sum, clips: of the present epoch: summed loss of its windows in nats per character, clipped steps.
        restarted_at: epoch of the last fresh optimiser.
        losses: mean loss of each finished epoch, nats per character.
    """

    corpus: Corpus
    settings: Settings = field(default_factory=Settings)
    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    clips: int = 0
    restarted_at: int = 0
    losses: list = field(default_factory=list)

    def __post_init__(self):
        s = self.settings
        rng = np.random.default_rng(s.seed)
        self.model = CharRNN(s.num_hiddens, len(self.corpus.vocab), rng, s.sigma)
        self.optimizer = optim.Adam(self.model.parameters(), s.lr)

    def restart_optimizer(self):
        """A fresh Adam; document 000's log fits one after its checkpoint."""
        self.restarted_at = self.epoch
        self.optimizer = optim.Adam(self.model.parameters(), self.settings.lr)


def load_corpus(path=None):
    """The Time Machine, or a text file of yours, reduced to a–z and single spaces.

    Raises:
        ValueError: the file is no text or holds no letters. OSError: it cannot be read.
    """
    if path is None:
        return load_time_machine()
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8 (byte {error.start}); convert it first") from None
    if not any(char.isascii() and char.isalpha() for char in text):
        raise ValueError(f"{path} holds no letters a–z ({len(text)} characters); give an English text")
    return letters(text, str(path))


def train_epoch(run, after_step=None):
    """Train until the present epoch ends; returns its mean loss and the number of clipped steps.

    Args:
        run: changed in place; may stand in the middle of an epoch.
        after_step: called as ``after_step(run, num_windows_done, num_windows)`` when a step is complete.

    Raises:
        TrainingDiverged: a loss or gradient is NaN or infinite; the run stands before that step.
    """
    s = run.settings
    X, Y = sliding_windows(run.corpus, s.num_steps)
    for start in range(run.step * s.batch_size, len(X), s.batch_size):
        x, y = X[start : start + s.batch_size], Y[start : start + s.batch_size]
        logits, _ = run.model(x)
        loss = cross_entropy(logits, targets=y.T.reshape(-1))
        if not np.isfinite(loss.item()):
            raise TrainingDiverged(f"the loss is {loss.item()} at step {run.step + 1} of epoch {run.epoch}; lower lr")
        run.optimizer.zero_grad()
        loss.backward()
        run.clips += optim.clip_grad_norm(run.model.parameters(), s.clip) > s.clip
        run.optimizer.step()
        run.loss_sum += loss.item() * len(x)
        run.step += 1
        if after_step:
            after_step(run, start + len(x), len(X))
    loss, clips = run.loss_sum / len(X), run.clips
    run.losses.append(loss)
    run.epoch, run.step, run.loss_sum, run.clips = run.epoch + 1, 0, 0.0, 0
    return loss, clips


def write(model, vocab, prefix, num_chars, temperature=0.0, rng=None):
    """Continue ``prefix`` by ``num_chars`` characters, greedily or with a temperature.

    Raises:
        ValueError: the prefix is empty or holds a symbol that the vocabulary lacks.
    """
    if not prefix:
        raise ValueError("the prefix is empty; give at least one character to start from")
    indices = vocab.encode(prefix).tolist()
    rng, state, X = np.random.default_rng(rng), None, [indices]
    with no_grad():
        for _ in range(num_chars):
            logits, state = model(X, state)
            indices.append(next_token(logits.data[-1], rng, temperature))
            X = [indices[-1:]]
    return vocab.text(indices)


def save_run(path, run):
    """Write everything that resuming needs; the file appears whole or not at all."""
    tensors = {f"model.{name}": array for name, array in run.model.state_dict().items()}
    tensors |= {f"optimizer.{name}": array for name, array in run.optimizer.state_dict().items()}
    progress = {key: getattr(run, key) for key in ("epoch", "step", "loss_sum", "clips", "restarted_at", "losses")}
    info = {"program": "timemachine", "settings": json.dumps(asdict(run.settings)), "progress": json.dumps(progress)}
    save_tensors(path, tensors, run.corpus.vocab, corpus_sha256=_checksum(run.corpus), **info)


def load_run(path, corpus, resume=True):
    """The run that :func:`save_run` wrote.

    Args:
        corpus: the text to go on with. resume: False if only the weights are wanted; then any text will do.

    Raises:
        ValueError: the file is damaged, foreign, or belongs to another text.
    """
    tensors, info = load_tensors(path, vocab=corpus.vocab)
    if info.get("program") != "timemachine":
        raise ValueError(f"{path} holds weights, but no run of this program; give a file that it saved")
    if resume and info["corpus_sha256"] != _checksum(corpus):
        raise ValueError(
            f"{path} was trained on another text than {corpus.name!r}; give that text, or start anew with another file"
        )
    settings = json.loads(info["settings"])
    settings = Settings(**{**settings, "sigma": tuple(settings["sigma"])})
    run = Run(corpus, settings, **json.loads(info["progress"]))
    parts = {"model": run.model, "optimizer": run.optimizer}
    for name, part in parts.items():
        start = f"{name}."
        part.load_state_dict({key[len(start) :]: value for key, value in tensors.items() if key.startswith(start)})
    return run


def _checksum(corpus):
    return hashlib.sha256(corpus.indices.tobytes()).hexdigest()
