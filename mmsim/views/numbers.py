"""Large counts and small odds, as people say them.

Interface: count, chance, fraction, read_fraction
"""

from __future__ import annotations

from fractions import Fraction
from math import log10

EXACT_MAX = 10**12
RARE = Fraction(1, 1000)
WRITTEN_MAX = 30


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


def read_fraction(text: str) -> Fraction:
    """The other way round; raises ValueError, in one sentence, for what is no fraction."""
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f'write a fraction as text, such as "1/8", not {text!r}') from None
