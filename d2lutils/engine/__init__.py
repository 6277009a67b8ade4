"""A dynamic-graph engine on NumPy, small enough to be read at one sitting.

``tape`` holds tensors and the walk back, ``operations`` each operation beside its own backward, ``nn`` layers,
``optim`` the optimisers.
"""

from . import nn, optim
from .operations import *
from .operations import __all__ as _operations
from .tape import Tensor, no_grad, operation

__all__ = ["Tensor", "nn", "no_grad", "operation", "optim", *_operations]
