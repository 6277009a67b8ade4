"""A dynamic-graph engine on NumPy, small enough to be read at one sitting.

``tape`` holds tensors and the walk back, ``operations`` each operation beside its own backward, ``nn`` layers,
``optim`` the optimisers, ``graph`` the picture of a computation.
"""

from . import nn, optim
from .graph import draw_graph
from .operations import *
from .operations import __all__ as _operations
from .tape import Tensor, no_grad, operation

__all__ = ["Tensor", "draw_graph", "nn", "no_grad", "operation", "optim", *_operations]
