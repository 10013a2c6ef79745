"""How likely a free block is when pages are freed at random: counted exactly, and tried.

Interface: chance_table, chance_by_share, enough
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from mmsim.chance import chance, tries, ways
from mmsim.constants import HPAGE_PMD_ORDER
from mmsim.evidence.measured import wilson
from mmsim.views.words import size_words

if TYPE_CHECKING:
    import pandas as pd

# Pages, how many of them are free, order of the block: small enough to count.
SMALL = ((8, 4, 2), (16, 8, 2), (32, 16, 2), (64, 32, 2), (16, 8, 3), (64, 32, 3))
CONFIDENCE = 0.99
GIBIBYTE = 1 << 18
READABLE_MAX = 9999


def chance_table(seed: int = 1, times: int = 2000) -> pd.DataFrame:
    """The chance of a free block, exact, beside what `times` random choices of `seed` gave."""
    import pandas as pd

    rows, names = [], []
    for pages, free, order in SMALL:
        exact = chance(pages, free, order)
        hits = tries(pages, free, order, times, seed)
        low, high = wilson(hits, times, CONFIDENCE)
        inside = "yes" if low <= exact <= high else "no"
        part = f"{hits:,} of {times:,}"
        names.append(f"{pages} pages, {free} free, block of {1 << order}")
        rows.append((_chance(exact), part, f"{low:.3f} to {high:.3f}", inside))
    columns = ["chance", "tried", f"{CONFIDENCE:.0%} interval", "chance is inside"]
    return pd.DataFrame(rows, index=pd.Index(names, name="question"), columns=columns)


def _chance(exact: Fraction) -> str:
    """As a fraction too, if that can be read."""
    said = _decimal(float(exact))
    return f"{exact} = {said}" if exact.denominator <= READABLE_MAX else said


def _decimal(number: float) -> str:
    return f"{number:.1e}" if number < 0.001 else f"{number:.3f}"


def _in_a_gibibyte(share: float) -> float:
    """The chance of a free huge page; `share` of the pages is free, in percent."""
    # Divided as whole numbers: a fraction of so many digits would take long to shorten.
    found, total = ways(GIBIBYTE, round(GIBIBYTE * share / 100), HPAGE_PMD_ORDER)
    return found / total


def chance_by_share(shares: Sequence[float]) -> pd.DataFrame:
    """The chance of a free huge page in 1 GiB, for shares (in percent) freed at random."""
    import pandas as pd

    found = [_in_a_gibibyte(share) for share in shares]
    size = size_words(1 << HPAGE_PMD_ORDER)
    index = pd.Index([f"{share:g} %" for share in shares], name="free, at random")
    column = f"chance of a free block of {size}"
    return pd.DataFrame({column: list(map(_decimal, found))}, index=index, dtype=object)


def enough(shares: Sequence[float]) -> str:
    """The least of these shares (in percent) at which a free huge page in 1 GiB is likelier than
    not."""
    likely = [share for share in sorted(shares) if _in_a_gibibyte(share) > 0.5]
    return f"{likely[0]:g} %" if likely else "none"
