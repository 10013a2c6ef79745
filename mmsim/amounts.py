"""How amounts are written for people: counts, probabilities, sizes."""

from __future__ import annotations

from fractions import Fraction
from math import log10

from mmsim.constants import PAGE_SIZE

EXACT_MAX = 10**12
RARE = Fraction(1, 1000)
WRITTEN_MAX = 20
_UNITS = ("KiB", "MiB", "GiB", "TiB")


def count(number: int | None) -> str:
    """`7,773`, `1.68e19`; None is a number without limit."""
    if number is None:
        return "no limit"
    if number < EXACT_MAX:
        return f"{number:,}"
    exponent = int(log10(number))  # takes a whole number of any size, as str does not
    lead = f"{float(Fraction(number, 10**exponent)):.2f}"
    return f"1.00e{exponent + 1}" if lead == "10.00" else f"{lead}e{exponent}"


def chance(odds: Fraction) -> str:
    """`5.83 %`, `1 in 2,698`, `all but 1 in 2,698`, `never`, `always`.

    What is not certain never looks so by being rounded."""
    if odds in (0, 1):
        return "always" if odds else "never"
    if odds < RARE:
        return f"1 in {count(round(1 / odds))}"
    if 1 - odds < RARE:
        return f"all but 1 in {count(round(1 / (1 - odds)))}"
    return f"{float(odds * 100):.2f} %"


def fraction(odds: Fraction) -> str:
    """`59/2048`, or how long it would be, if nobody could read it."""
    said = str(odds)
    return said if len(said) <= WRITTEN_MAX else f"a fraction of {len(said) - 1} digits"


def plural(n: int | None, one: str, many: str = "") -> str:
    """ "1 reference", "2 references"."""
    return f"{count(n)} {one if n == 1 else many or one + 's'}"


def times(n: int) -> str:
    """ "once", "twice", "3 times"."""
    return {1: "once", 2: "twice"}.get(n, f"{n:,} times")


def size_words(pages: int, page_kib: int = PAGE_SIZE // 1024) -> str:
    """So many pages as a size: "4 KiB", "2 MiB", "1.5 GiB"; counted if `page_kib` is 0, unknown."""
    if not page_kib:
        return plural(pages, "page")
    size, unit = float(pages * page_kib), 0
    while round(size, 2) >= 1024 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.2f}".rstrip("0").rstrip(".") + f" {_UNITS[unit]}"
