"""The book's own errors. Every message names the value, what was expected and the cure."""

__all__ = ["DataError", "DeviceError", "TrainingDiverged", "check_positive"]


class DataError(RuntimeError):
    """A data file is missing, unreachable or not what the manifest says."""


class DeviceError(RuntimeError):
    """A device was asked for that this machine does not have."""


class TrainingDiverged(FloatingPointError):
    """A loss or a gradient stopped being finite.

    Attributes:
        step: number of the update (counted from 1) at which it happened, or None.
        history: what had been recorded until then, or None.
    """

    def __init__(self, message, step=None, history=None):
        super().__init__(message)
        self.step = step
        self.history = history


def check_positive(**values):
    """Raise ValueError unless every keyword is an integer of at least 1."""
    for name, value in values.items():
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise TypeError(f"{name} must be an integer, got {value!r} ({type(value).__name__})")
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
