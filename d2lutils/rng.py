"""A random generator whose every bit we know, as document 003 uses it.

It is the 64-bit xorshift* generator of Vigna (2016, "An experimental exploration of Marsaglia's
xorshift generators, scrambled"). It is slow and has no framework, which is the point: the same seed gives
the same numbers in any language, so a training run can be repeated to the last digit.
"""

import math

__all__ = ["RNG"]

_MASK64 = (1 << 64) - 1
_MULTIPLIER = 0x2545F4914F6CDD1D


class RNG:
    """xorshift64* with the interface of Python's ``random``.

    Args:
        seed: integer whose low 64 bits are not all zero (zero is a fixed point: it would stay zero).
    """

    def __init__(self, seed):
        self.state = int(seed) & _MASK64
        if self.state == 0:
            raise ValueError(f"seed {seed} leaves the generator at zero for ever; use any other integer, e.g. 1337")

    def random_u32(self):
        """The next unsigned 32-bit integer."""
        x = self.state
        x ^= x >> 12
        x ^= (x << 25) & _MASK64
        x ^= x >> 27
        self.state = x
        return ((x * _MULTIPLIER) >> 32) & 0xFFFFFFFF

    def random(self):
        """A number in [0, 1) with 24 random bits, hence exact in float32."""
        return (self.random_u32() >> 8) / (1 << 24)

    def rand(self, n, a=0.0, b=1.0):
        """A list of n numbers from the uniform distribution on [a, b)."""
        return [self.random() * (b - a) + a for _ in range(n)]

    def randn(self, n, mu=0.0, sigma=1.0):
        """A list of n numbers from N(mu, sigma²), by the Box–Muller transform."""
        out = []
        while len(out) < n:
            u1, u2 = self.random(), self.random()
            radius = math.sqrt(-2.0 * math.log(u1 or 2.0**-25))  # u1 = 0 (once in 2²⁴) has no logarithm
            angle = 2.0 * math.pi * u2
            out += [radius * math.cos(angle) * sigma + mu, radius * math.sin(angle) * sigma + mu]
        return out[:n]
