"""The retry law: how likely several passes are to outlast a holder of a reference.  Exact.

Interface: Retrying, success

A holder lets go with the same chance in every tick of time.  The first pass has met it.  A later
pass meets it too if the reference was kept through every tick in between.  So n passes, d ticks
apart, all meet it with the probability (1 - r) ** (d * (n - 1)).  The passes add up to a window of
d * (n - 1) ticks; nothing else about them matters.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from mmsim.errors import UserError

Share = Fraction | int


class Retrying(NamedTuple):
    """How often one tries, how far apart, and whom one meets.

    `gap`: ticks from one pass to the next.  `permanent`: the share of references that are never
    dropped; all others are dropped with the same chance in every tick.

    Left out: somebody else who comes meanwhile; references that are held for a set time."""

    passes: int = 10
    gap: int = 1
    permanent: Share = 0

    @property
    def window(self) -> int:
        """Ticks from the first pass to the last."""
        return self.gap * (self.passes - 1)


def success(setting: Retrying, hold: int) -> Fraction:
    """The probability that a later pass finds the reference gone, given that the first met it.

    `hold`: how many ticks a reference is held on average, at least 1; its chance of being dropped
    in a tick is then 1 / hold.  Raises UserError for a setting that makes no sense."""
    for name in ("passes", "gap"):
        number = getattr(setting, name)
        if not isinstance(number, int) or number < 1:
            raise UserError(f"{name} must be a whole number from 1 on, not {number!r}")
    if hold < 1:
        raise UserError(f"a reference is held for 1 tick or more, not for {hold}")
    stays = Fraction(setting.permanent)
    if not 0 <= stays <= 1:
        raise UserError(f"permanent is a share of one whole, not {stays}")
    kept_in_a_tick = 1 - Fraction(1, hold)
    return (1 - stays) * (1 - kept_in_a_tick**setting.window)
