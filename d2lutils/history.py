"""What a training run leaves behind."""

import time
from dataclasses import dataclass, field

from .metrics import perplexity

__all__ = ["History"]


@dataclass
class History:
    """Loss and perplexity of every epoch.

    Attributes:
        loss: list of float, mean loss of each epoch in nats per token; epoch e stands at index e - 1.
        valid_loss: the same on held-out text, or empty.
        seconds: wall-clock time of the whole run so far.
    """

    loss: list = field(default_factory=list)
    valid_loss: list = field(default_factory=list)
    seconds: float = 0.0
    _start: float = field(default_factory=time.perf_counter, repr=False)

    def record(self, loss, valid_loss=None):
        """Append one epoch."""
        self.loss.append(float(loss))
        if valid_loss is not None:
            self.valid_loss.append(float(valid_loss))
        self.seconds = time.perf_counter() - self._start

    @property
    def perplexity(self):
        """Training perplexity of every epoch."""
        return [perplexity(loss) for loss in self.loss]

    @property
    def valid_perplexity(self):
        """Held-out perplexity of every epoch."""
        return [perplexity(loss) for loss in self.valid_loss]

    def at(self, epochs):
        """``{epoch: perplexity}`` for the epochs that were reached, as the documents print them."""
        return {e: self.perplexity[e - 1] for e in epochs if 1 <= e <= len(self.loss)}
