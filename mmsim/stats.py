"""Fractions that were counted, and how far they can be trusted.

Interface: wilson
"""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist


def wilson(hits: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval in which the true share lies, as far as `trials` can tell.

    Wilson's score interval: unlike hits/trials plus or minus something it never leaves 0 to 1, and
    0 hits of 10 do not give an interval without width.  Raises ValueError for impossible counts.
    Left out: trials that depend on one another make the true interval wider.
    """
    if not 0 <= hits <= trials or trials == 0:
        raise ValueError(f"{hits} of {trials} is no share: needed are 0 <= hits <= trials > 0")
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence lies between 0 and 1, not at {confidence}")
    z2 = NormalDist().inv_cdf((1 + confidence) / 2) ** 2
    middle = (hits + z2 / 2) / (trials + z2)
    half = sqrt(z2 * (hits * (trials - hits) / trials + z2 / 4)) / (trials + z2)
    low = 0.0 if hits == 0 else middle - half
    high = 1.0 if hits == trials else middle + half
    return low, high
