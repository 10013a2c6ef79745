"""Ten characters that stand for a run: scenario, version, knobs, schedule.  To be typed elsewhere.

Interface: encode, decode, Shared, ShareError

A code is one whole number, written with 31 digits and letters that nobody takes for another, and a
check character behind it.  The number says everything: nobody looks it up in a table of runs, and
nothing in it is evaluated.  Its parts, the lowest first:

    FORMAT, starting point, version, how many knobs differ from the starting point, these knobs,
    where the run stops, how many choices it makes, which ones (`engine.choices`)

A handful of choices among a hundred fits into ten characters; more take fifteen, twenty, up to
LENGTH_MAX.

A code means what the model makes of it, as a written schedule does.  Golden codes in the tests
notice when that changes; then FORMAT goes up, and older codes are refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mmsim.engine import schedule
from mmsim.engine.choices import Choices, choices_of, moves_of, rank, unrank
from mmsim.engine.scenario import Move
from mmsim.knobs import Value
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import SCENARIOS, Situation, make

FORMAT = 0

# Where a code begins: a scenario, and knobs that differ from its defaults.  Add at the end only.
STARTS: tuple[tuple[str, Mapping[str, Value]], ...] = (
    ("vfio_map", {}),
    ("pin_versus", {}),
    ("drop_caches_only", {}),
    ("vfio_map", {"order": 2, "released": "1"}),
    ("pin_versus", {"order": 1, "passes": 2}),
    ("timed_hold", {}),
    ("boot_guest", {}),
    ("split_race", {}),
    ("split_race", {"released": "1"}),
    ("cma_alloc", {}),
    ("lru_batch", {}),
    ("pin_versus", {"order": 1}),
)

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
BASE = len(ALPHABET)
GROUP, LENGTH, LENGTH_MAX = 5, 10, 40
MOVES_MAX = 100_000
SHOWN_MAX = 50


class ShareError(ValueError):
    """A code that can't be read, or a run that has none; the message says what to do."""


class Shared(NamedTuple):
    """What a code stands for.  `knobs`: all of them."""

    scenario: str
    version: str
    knobs: dict[str, Value]
    schedule: str

    def situation(self) -> Situation:
        """Where the schedule runs."""
        return make(self.scenario, self.version, self.knobs)


def encode(situation: Situation, moves: Sequence[Move]) -> str:
    """The code of a run; raises ShareError if it has none, ScheduleError for impossible moves."""
    names = [*VERSIONS]
    if situation.version.name not in names:
        raise ShareError(f"version {situation.version.name!r} has no code; only {_or(names)} have")
    if situation.as_one:
        raise ShareError("a run in which steps are taken as one has no code")
    choices = choices_of(situation.with_(), moves)
    starts = [start for start, (name, _) in enumerate(STARTS) if name == situation.name]
    if not starts:
        raise ShareError(f"scenario {situation.name!r} has no codes")
    nearest = min(starts, key=lambda start: len(_turned(situation, start)))
    code = _code(situation, choices, nearest)
    if len(_letters(code)) > LENGTH_MAX:
        raise ShareError(
            f"this run makes {len(choices.taken)} choices, too many for a code that somebody "
            "types: pass the schedule on as text"
        )
    return code


def _code(situation: Situation, choices: Choices, start: int) -> str:
    """The parts of a code in their order, from a starting point on."""
    turned = _turned(situation, start)
    number = _Number()
    number.add(FORMAT, 2)
    number.add(start, 8)
    number.add([*VERSIONS].index(situation.version.name), 8)
    number.add(len(turned), 4)
    for knob, value in turned:
        number.add_any(knob)
        number.add_any(value)
    number.add_any(choices.stop)
    number.add(len(choices.taken), 8)
    return _spelled(number.below(rank(choices.taken)))


def _turned(situation: Situation, start: int) -> list[tuple[int, int]]:
    """The knobs that differ from those of a starting point: (which knob, which value)."""
    first = STARTS[start][1]
    return [
        (i, knob.number(situation.knobs[knob.name]))
        for i, knob in enumerate(SCENARIOS[situation.name].knobs)
        if situation.knobs[knob.name] != first.get(knob.name, knob.default)
    ]


def decode(code: str) -> Shared:
    """What a code stands for; raises ShareError, in one sentence, for anything that is no code."""
    number = _Number(_number(code))
    if number.take(2) != FORMAT:
        raise ShareError(f"code {_shown(code)} was made by an mmsim that counts differently")
    try:
        start, situation, choices = _read(number)
        moves = moves_of(situation, choices, moves_max=MOVES_MAX)
        # Whoever spells the same parts again has to come to the same letters.
        again = _code(situation, choices_of(situation.with_(), moves), start)
        same = again == _spaced(_letters(code))
    except (ValueError, IndexError):
        same = False
    if not same:
        raise ShareError(f"code {_shown(code)} stands for no run of this mmsim: compare it again")
    return Shared(situation.name, situation.version.name, situation.knobs, schedule.render(moves))


def _read(number: _Number) -> tuple[int, Situation, Choices]:
    """The parts in their order; raises ValueError or IndexError for numbers that mean nothing."""
    start = number.take(8)
    scenario, knobs = STARTS[start]
    version = [*VERSIONS][number.take(8)]
    spec, turned = SCENARIOS[scenario], dict(knobs)
    for _ in range(number.take(4)):
        knob = spec.knobs[number.take_any()]
        turned[knob.name] = knob.value(number.take_any())
    stop, size = number.take_any(), number.take(8)
    return start, spec.make(version, turned), Choices(unrank(number.rest, size), stop)


# -- the number, part by part


class _Number:
    """A number in a mixed radix: parts are added in their order and taken in the same order.

    A part that is mostly small has a radix; its largest digit says that there is more to come."""

    def __init__(self, rest: int = 0) -> None:
        self.rest = rest
        self._digits: list[tuple[int, int]] = []

    def add(self, value: int, radix: int) -> None:
        while value >= radix - 1:
            self._digits.append((radix - 1, radix))
            value -= radix - 1
        self._digits.append((value, radix))

    def add_any(self, value: int) -> None:
        """A part of any size, by octal digits, each with a bit that says whether more follow."""
        while value >= 8:
            self._digits.append((8 + value % 8, 16))
            value = value // 8 - 1
        self._digits.append((value, 16))

    def below(self, top: int) -> int:
        """The number that has these parts below `top`."""
        for digit, radix in reversed(self._digits):
            top = top * radix + digit
        return top

    def take(self, radix: int) -> int:
        value = 0
        while (digit := self._digit(radix)) == radix - 1:
            value += digit
        return value + digit

    def take_any(self) -> int:
        digit = self._digit(16)
        return digit if digit < 8 else digit - 8 + 8 * (self.take_any() + 1)

    def _digit(self, radix: int) -> int:
        self.rest, digit = divmod(self.rest, radix)
        return digit


# -- the number in characters


def _spelled(number: int) -> str:
    """The shortest code of whole groups that holds the number."""
    digits: list[int] = []
    while number or len(digits) + 1 < LENGTH or (len(digits) + 1) % GROUP:
        number, digit = divmod(number, BASE)
        digits.append(digit)
    digits.reverse()
    return _spaced("".join(ALPHABET[digit] for digit in [*digits, _check(digits)]))


def _check(digits: Sequence[int]) -> int:
    """The check character.  Neighbours have different weights and BASE is a prime, so any wrong
    character and any two neighbours in the wrong order change the sum."""
    return sum((at % (BASE - 1) + 1) * digit for at, digit in enumerate(digits)) % BASE


def _number(code: str) -> int:
    """The number that a code spells; raises ShareError."""
    letters = _letters(code)
    for letter in letters:
        if letter not in ALPHABET:
            raise ShareError(
                f"a code has no {letter!r}: it is made of 2 to 9 and A to Z without I, L and O"
            )
    if len(letters) < LENGTH or len(letters) % GROUP or len(letters) > LENGTH_MAX:
        raise ShareError(
            f"code {_shown(code)} has {len(letters)} characters; a code has {LENGTH}, "
            f"or {GROUP} more, up to {LENGTH_MAX}"
        )
    digits = [ALPHABET.index(letter) for letter in letters]
    if _check(digits[:-1]) != digits[-1]:
        raise ShareError(f"code {_shown(code)} has a typing error: compare it again")
    number = 0
    for digit in digits[:-1]:
        number = number * BASE + digit
    return number


def _letters(code: str) -> str:
    """The characters that count: case does not, nor do spaces and hyphens."""
    return "".join(c.upper() if c.isascii() else c for c in code if not c.isspace() and c != "-")


def _spaced(letters: str) -> str:
    return "-".join(letters[i : i + GROUP] for i in range(0, len(letters), GROUP))


def _shown(code: str) -> str:
    return repr(code if len(code) <= SHOWN_MAX else f"{code[:SHOWN_MAX]}...")


def _or(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
