"""How long a step takes: smoothed while it runs, or several ways compared in one process."""

import statistics
import time

from .errors import check_positive

__all__ = ["StepTimer", "time_in_turn"]


class StepTimer:
    """Smoothed time of a repeated step: ``with timer: ...`` and then ``timer.get_dt()`` in seconds.

    The mean is exponential with weight ``ema_alpha`` and divided by 1 - ema_alpha^step, as Adam corrects its
    moments, so that the first steps are not pulled towards zero.
    """

    def __init__(self, ema_alpha=0.9):
        if not 0 <= ema_alpha < 1:
            raise ValueError(f"ema_alpha must lie in [0, 1), got {ema_alpha}")
        self.ema_alpha = ema_alpha
        self.step = 0
        self._ema = 0.0
        self._start = None

    def __enter__(self):
        self._start = time.perf_counter()
        return self

    def __exit__(self, *exc_info):
        elapsed = time.perf_counter() - self._start
        self._ema = self.ema_alpha * self._ema + (1 - self.ema_alpha) * elapsed
        self.step += 1

    def get_dt(self):
        """Seconds a step takes; 0.0 before the first step has ended."""
        return self._ema / (1 - self.ema_alpha**self.step) if self.step else 0.0


def time_in_turn(functions, rounds=10, repeats=3, sync=lambda: None):
    """Median seconds of each function, measured in turn so that a slow minute of the machine hits all alike.

    Args:
        functions: dict from name to a function without arguments.
        rounds: how often each is measured.
        repeats: calls per measurement.
        sync: called before each look at the clock; on a GPU pass ``torch.cuda.synchronize``.

    Returns:
        dict from name to seconds per call. Each function is called once beforehand to warm up.
    """
    check_positive(rounds=rounds, repeats=repeats)
    samples = {name: [] for name in functions}
    for function in functions.values():
        function()
    for _ in range(rounds):
        for name, function in functions.items():
            sync()
            start = time.perf_counter()
            for _ in range(repeats):
                function()
            sync()
            samples[name].append((time.perf_counter() - start) / repeats)
    return {name: statistics.median(times) for name, times in samples.items()}
