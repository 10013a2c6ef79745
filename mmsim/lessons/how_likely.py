"""Lesson 07, about chance: what was measured, then counts against odds against time."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from math import prod
from typing import Any, NamedTuple, TypeVar

from mmsim.amounts import chance, plural
from mmsim.engine.explore import Exploration
from mmsim.engine.odds import odds_along
from mmsim.engine.schedule import parse
from mmsim.errors import UserError
from mmsim.evidence.measured import LOOP, TIMED, VARIANT_OF, Share, best_split, rows_with, trials
from mmsim.lessons.card import Card, widget
from mmsim.scenarios import split_race
from mmsim.scenarios.knobs import number
from mmsim.scenarios.situation import fails
from mmsim.views.chances import PACES, chances, chances_picture, pace_words
from mmsim.views.charts import (
    Axis,
    Bar,
    Plot,
    Style,
    bars,
    dot_sign,
    failed_bars,
    line_sign,
    percent,
)
from mmsim.views.show import Shown, as_html
from mmsim.views.svg import BLUE, FILLS, MUTED, ORANGE, Picture, Svg
from mmsim.views.tables import Frame, frame, labels

# A huge page of two pages has the same schedules as one of 512, and is quicker to split.
RACE = split_race("base", released="1", order=1)


# -- measured: pins beside drop_caches, and pins that met a reference for a while
#
# Both loops of the measured kernel are counted together unless said: they differ in how failures
# are counted, not in what fails.

DISTURBED = "s4_dropcaches_trials.csv"

# What runs beside the pin; all with huge pages in CMA and no free huge page.
DISTURBANCES = {
    "S4_loop_n32": "tight loop, 32 huge pages",
    "S4_loop": "tight loop, 8",
    "S4_loop_gap20ms": "every 20 ms, 8",
    "S4_loop3_gap20ms": "value 3: 20 ms, 8",
    "S4_loop_gap100ms": "every 100 ms, 8",
    "S4_once_n8": "once, 8",
    "S4_once_n1": "once, 1",
}


def rescued_pins(variant: str, how: str, dropped_by: float = float("inf")) -> Share:
    """Of the pins whose first split was refused by a timed reference: how many went through?

    `how`: "injected", the allocation of a huge page was made to fail, or "fragmented", there really
    was none, so that each attempt first compacts memory and the passes lie further apart.
    `dropped_by`: only pins whose reference was dropped so early, in microseconds after the pin
    began; drops come later than intended, and not equally late in the two."""
    met = [
        row
        for row in rows_with(TIMED[how], ref_kind="timed", variant=variant)
        if int(row["d_thp_split_page_failed"]) > 0 and float(row["actual_release_us"]) < dropped_by
    ]
    return Share(sum(row["pin_errno"] == "0" for row in met), len(met))


class Pins(NamedTuple):
    """What became of pins while drop_caches ran: counts of pins."""

    failed: Share
    huge_page_left: int
    """failed pins after which at least one huge page was still whole"""
    only_pieces_left: int
    """failed pins after which every huge page had been split"""
    split_refused: int
    """pins in which at least one split was refused, failed or not"""


def measured_pins(variant: str, scenario: str = "", loop: str = "") -> Pins:
    """The pins of a variant in one scenario of DISTURBANCES or in all of them.

    `loop`: only those of one of the two measured loops, "oct22" or "6.1.192"."""
    rows = [
        row
        for row in rows_with(DISTURBED, variant=variant, subpage_retry_knob="0")
        if row["scenario"] in ([scenario] if scenario else DISTURBANCES)
        and loop in ("", row["code"])
    ]
    failed = [row for row in rows if row["pin_errno"] != "0"]
    pieces = [row for row in failed if row["thp_after"] == "0"]
    return Pins(
        failed=Share(len(failed), len(rows)),
        huge_page_left=len(failed) - len(pieces),
        only_pieces_left=len(pieces),
        split_refused=sum(row["d_thp_split_page_failed"] != "0" for row in rows),
    )


# -- measured: what the patch bought

TRIES = {"6.1.0": "one try", "v3": "up to ten tries"}
WAYS = ("not split", "a piece busy")
"""How a pin can fail: a huge page was left whole, or only pieces."""


def pins(version: str, scenario: str = "") -> Pins:
    """The pins beside drop_caches, in one set-up or in all of them together."""
    return measured_pins(VARIANT_OF[version], scenario, LOOP)


def interval_of(share: Share) -> str:
    """A share with its interval."""
    low, high = (f"{100 * end:.0f}" for end in share.interval)
    return f"{share}, that is {100 * share.part:.0f} % ({low} to {high} %)"


@Shown
def before() -> Picture:
    """The pins without a second try, by what ran beside them and how large the guest was."""
    shares = {}
    for scenario, name in DISTURBANCES.items():
        when, huge_pages = name.removesuffix(" huge pages").rsplit(", ", 1)
        row = f"{when}, {plural(int(huge_pages), 'huge page')}"
        shares[row] = pins("6.1.0", scenario).failed
    return failed_bars(f"6.1.0: {pins('6.1.0').failed} pins failed beside drop_caches", shares)


def bought_picture() -> Picture:
    """The two ways to fail, in both versions."""
    rows = {}
    for version, tries in TRIES.items():
        found = pins(version)
        ways = dict(zip(WAYS, (found.huge_page_left, found.only_pieces_left), strict=True))
        words = ", ".join(f"{way}: {n}" for way, n in ways.items())
        rows[f"{version}, {tries}"] = Bar(ways, found.failed.trials, words)
    claim = "; ".join(
        f"{way}: {' → '.join(str(row.parts[way]) for row in rows.values())}" for way in WAYS
    )
    fills = (FILLS["UNMOVABLE"], FILLS["RECLAIMABLE"])
    return bars(f"{claim}, of 510 pins each", rows, dict(zip(WAYS, fills, strict=True)))


bought = Card(
    "Guess: how many of the 245 failed pins of 6.1.0 left a huge page whole? And how many of the "
    "510 pins of v3 fail?\n"
    "In lesson 06 you built two failures. A refused split leaves a huge page whole. Or the page is "
    "split, and a piece is busy in its one pass. After each failed pin somebody counted what was "
    "left in CMA. A guess will do: nobody could know.",
    {"not_split": (5, 61, 122, 184, 240), "failed_v3": (5, 64, 128, 192, 256)},
    labels={
        "not_split": "6.1.0: failed pins that left a huge page whole, of 245",
        "failed_v3": "v3: failed pins, of 510",
    },
    outcome=lambda: {
        "not_split": pins("6.1.0").huge_page_left,
        "failed_v3": pins("v3").failed.hits,
    },
    why=lambda: (
        "The patch tries a refused split again. But nearly all of these pins did not fail at a "
        "split. They failed at a piece, and a piece has one pass with the patch or without it.\n\n"
        "Five against none is too little to say how many such failures the patch takes away. Nor "
        "can the larger number be called a rise. "
        f"6.1.0: {interval_of(pins('6.1.0').failed)} failed. v3: {interval_of(pins('v3').failed)}. "
        "In brackets stands the interval that holds the true share in 95 of 100 such experiments. "
        "The two intervals overlap."
    ),
    still=lambda: [bought_picture(), "data/kernel-runs/s4_dropcaches_trials.csv, code oct22"],
)


# -- counts and odds

TOSSED = {
    "split": 2897,
    "failed: a huge page could not be split, still mapped": 97,
    "failed: a huge page could not be split, left unmapped": 6,
}
"""3,000 runs of the race by a coin, seed 0; a test makes them again."""


@cache
def explored(passes: int = 1) -> Exploration:
    """Every schedule of the race, with so many tries."""
    return RACE.with_(version="v3", passes=passes).explore()


@cache
def failing_at(pace: Fraction | int, passes: int = 1) -> Fraction:
    """How likely all tries fail, if the split takes `pace` steps for one of the holder."""
    ends = explored(passes).outcomes(RACE.full_outcome, {RACE.main: Fraction(pace)})
    return sum((end.odds for end in ends if fails(end.name)), Fraction(0))


def failing_schedules() -> int:
    """How many schedules of the race fail."""
    return sum(
        end.schedules or 0 for end in explored().outcomes(RACE.full_outcome) if fails(end.name)
    )


SCHEDULES = {"early": "holder*2 split*13", "late": "split*6 holder split*3 holder"}


def tosses(name: str) -> list[Fraction]:
    """How likely each step of a schedule of the race was: a half where both could move."""
    return odds_along(RACE, parse(SCHEDULES[name], [actor.name for actor in RACE.actors]))


odds = Card(
    "How likely are these two schedules, if a coin decides?\n"
    "A step at which only one actor can move needs no coin. In the second one the split is "
    "refused, and ends with its ninth step.",
    {
        "early": ("1/2", "1/4", "1/15", "1/73", "1/32768"),
        "late": ("1/11", "1/73", "1/512", "1/1024", "1/2048"),
    },
    labels={name: f"`{schedule}`" for name, schedule in SCHEDULES.items()},
    outcome=lambda: {name: str(Fraction(prod(tosses(name)))) for name in SCHEDULES},
    hints=(
        "At each step, how many actors could move?",
        "One half for each step at which both could; nothing for the others.",
        "Once one of the two has returned, there is no coin to toss any more.",
    ),
    why="A step at which both could have moved is a *crossroads*. Each of them halves the odds. In "
    "the first there are two; then the holder is done. In the second there are ten; at the last "
    "step only the holder is left. The odds of several schedules are added up.",
)

often = Card(
    "A coin decides every step. What are the odds that the split fails?\nIt looks at the count in "
    "its seventh step and, if that went well, once more in its tenth. What comes after a refusal "
    "does not matter. So follow a schedule only up to the refusal, and add up the odds of these "
    "beginnings.",
    ("0.29 %", "2.88 %", "12.5 %", "25 %", "45.2 %"),
    outcome=lambda: chance(failing_at(1)),
    hints=(
        "The split fails if the holder has its reference at the moment when the split looks.",
        "So exactly one step of the holder comes before the seventh of the split. In how many "
        "places can it stand, and how likely is each of these orders?",
        "Seven places. Eight steps are tossed, so each has odds of 1/256.",
    ),
    why="Most of it is found by hand: one step of the holder before the seventh of the split. "
    "There are seven places for it. Seven steps of the split and one of the holder are eight "
    "tosses, so each place has odds of 1/256. Between the seventh and the tenth step there are "
    "three more, of eleven tosses each: 3/2048.\n\n"
    "A holder that comes and goes at once needs two tosses of the coin. For a failure it has to "
    "come at the right moment and stay for a while, which takes many. So the failing schedules are "
    "many, and each of them is rare.\n\n"
    "The picture has for each way to end its share of the schedules, its odds, and what 3,000 "
    "runs by a coin came to. The odds are exact; the interval is judged from the runs alone.",
    still=lambda: chances_picture(chances(explored().outcomes(RACE.full_outcome), TOSSED)),
)


# -- who is quicker

PASSES = {"one": 1, "ten": 10}
RAREST = Fraction(1, 10**9)
"""What is rarer than that is not written out."""


def worst_pace(passes: int) -> str:
    """At which pace all tries fail most often."""
    return pace_words(max(PACES, key=lambda pace: failing_at(pace, passes)))


def pace_table() -> Frame:
    """The odds that all tries fail, by who is how quick and how often is tried."""
    passes = (1, 2, 3, 10)
    odds_ = [[failing_at(pace, n) for n in passes] for pace in PACES]
    rows = [[chance(each) if each > RAREST else "under 1 in 10⁹" for each in row] for row in odds_]
    index = labels(map(pace_words, PACES), "pace, split : holder")
    return frame(rows, index, [plural(n, "pass", "passes") for n in passes])


def play_pace() -> Any:
    """The sliders, and the table."""
    import ipywidgets as w

    from mmsim.widgets.console import explorer

    return w.VBox([explorer(RACE), w.HTML(as_html(pace_table()))])


pace = Card(
    "The coin is loaded now. At which pace is it most likely that no try succeeds?\n"
    "`pace` 9 : 1 means nine steps of the split for one of the holder. The holder comes once. It "
    "takes its reference, and drops it. Guess both.",
    dict.fromkeys(PASSES, tuple(map(pace_words, PACES))),
    labels={"one": "with one pass", "ten": "with ten passes"},
    outcome=lambda: {name: worst_pace(passes) for name, passes in PASSES.items()},
    why="One pass: a holder as quick as the split has gone again before the split looks. A very "
    "slow one mostly takes its reference only when the split is over. The worst one stays about as "
    "long as the split takes.\n\n"
    "Ten passes: a quick holder has gone at the next look. A slow one is met again and again. At "
    "1 : 1 each further pass makes a failure hundreds of times rarer. At 27 : 1 it takes away less "
    "than a third. (The worst pace for ten passes lies beyond this list.) How much trying again "
    "helps depends on how long the holder stays.",
    still=pace_table,
    play=play_pace,
)


# -- the retry law: how likely several passes are to outlast a holder.  It is exact.
#
# A holder lets go with the same chance in every tick of time.  The first pass has met it.  A later
# pass meets it too if the reference was kept through every tick in between.  So n passes, d ticks
# apart, all meet it with the probability (1 - r) ** (d * (n - 1)).  The passes add up to a window
# of d * (n - 1) ticks; nothing else about them matters.


class Retrying(NamedTuple):
    """How often one tries, how far apart, and whom one meets.

    `gap`: ticks from one pass to the next.  `permanent`: the share of references that are never
    dropped; all others are dropped with the same chance in every tick.

    Left out: somebody else who comes meanwhile; references that are held for a set time."""

    passes: int = 10
    gap: int = 1
    permanent: Fraction | int = 0

    @property
    def window(self) -> int:
        """Ticks from the first pass to the last."""
        return self.gap * (self.passes - 1)


_Chance = TypeVar("_Chance", Fraction, float)


def _gone(setting: Retrying, kept_in_a_tick: _Chance) -> _Chance:
    """The law itself."""
    return (1 - Fraction(setting.permanent)) * (1 - kept_in_a_tick**setting.window)


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
    if not 0 <= setting.permanent <= 1:
        raise UserError(f"permanent is a share of one whole, not {setting.permanent}")
    return _gone(setting, 1 - Fraction(1, hold))


USUAL = Retrying()
HELD = Axis(
    "average time of holding, in ticks", 20_000, [10**power for power in range(5)], log=True
)
GONE = Axis("gone in time", 1, [0, 0.25, 0.5, 0.75, 1], percent)
LAW: Style = {"stroke": BLUE, "stroke_width": 3}
BEFORE: Style = {"stroke": MUTED, "stroke_dasharray": "3 4"}
WINDOW: Style = {"stroke": MUTED, "stroke_dasharray": "8 4"}


def retry_words(setting: Retrying) -> str:
    """How often, and how far apart."""
    if setting.passes == 1:
        return "1 pass"
    return f"{setting.passes} passes, {plural(setting.gap, 'tick')} apart"


def gone_words(setting: Retrying, hold: int) -> str:
    """The chance in words; what is not certain does not look so by being rounded."""
    part = success(setting, hold)
    said = f"{float(100 * part):.1f} %"
    if 0 < part < 1:
        return {"0.0 %": "under 0.1 %", "100.0 %": "over 99.9 %"}.get(said, said)
    return said


def curve(setting: Retrying) -> list[tuple[float, float]]:
    """The law over the time for which a reference is held, evenly on a logarithmic axis."""
    holds = [10 ** (i / 20) for i in range(87)]
    return [(hold, _gone(setting, 1 - 1 / hold)) for hold in holds]


def retry_law(setting: Retrying, holds: Mapping[int, int | None]) -> Picture:
    """The chance that a later pass finds the reference gone, over the average time of holding.

    `holds`: times to tell and to point at, in ticks; what was guessed for one, in percent, is drawn
    beside the curve."""
    claim = f"{retry_words(setting)}: a window of {plural(setting.window, 'tick')}"
    told = ", ".join(
        f"{gone_words(setting, hold)} if held for {plural(hold, 'tick')}" for hold in holds
    )
    words = f"{claim}. A later pass finds the reference gone in {told} on average."
    if setting.permanent:
        words += f" {float(setting.permanent):.0%} of the holders never let go."
    svg = Svg(640, 384, claim, words)
    svg.headline(14, 28, 612, claim)
    plot = Plot(svg, 66, 62, 552, 226, across=HELD, up=GONE)
    signs = [line_sign(svg, LAW, "the law")]
    if setting != USUAL:
        plot.line(curve(USUAL), BEFORE)
        signs.append(line_sign(svg, BEFORE, retry_words(USUAL)))
    if setting.window > 1:
        plot.upright(min(setting.window, HELD.end), WINDOW)
        signs.append(line_sign(svg, WINDOW, "the window"))
    plot.line(curve(setting), LAW)
    for hold, guess in holds.items():
        plot.dot(hold, float(success(setting, hold)), "circle", BLUE)
        if guess is not None:
            plot.dot(hold, guess / 100, "diamond", ORANGE)
    signs.append(dot_sign(svg, "circle", BLUE, "asked for"))
    if any(guess is not None for guess in holds.values()):
        signs.append(dot_sign(svg, "diamond", ORANGE, "your guess"))
    svg.legend(66, 340, 552, signs)
    return Picture(svg.render(), words)


HOLDS = {"ten": 10, "hundred": 100, "thousand": 1000}
KNOBS = (
    number("held", 100, 1, 2000, "average time of holding, in ticks"),
    number("gap", USUAL.gap, 1, 100, "ticks from one pass to the next"),
    number("passes", USUAL.passes, 1, 100, "how often is tried"),
    number("permanent", 0, 0, 50, "how many percent of the holders never let go"),
)


def law_picture(held: int, gap: int, passes: int, permanent: int) -> Picture:
    """The law for these settings; `permanent` in percent."""
    return retry_law(Retrying(passes, gap, Fraction(permanent, 100)), {held: None})


law: Card = Card(
    "Ten passes, one tick apart; the first has met a reference. In how many of 100 cases does a "
    "later pass find it gone?",
    dict.fromkeys(HOLDS, (1, 9, 25, 61, 90, 99)),
    labels={name: f"held for {ticks:,} ticks on average" for name, ticks in HOLDS.items()},
    outcome=lambda: {name: round(100 * success(USUAL, hold)) for name, hold in HOLDS.items()},
    why="What is dropped with the chance *r* in a tick is kept with the chance 1 - *r*. It is kept "
    "through *d* ticks with (1 - *r*)^*d*. So *n* passes, *d* ticks apart, all meet it with "
    "(1 - *r*)^(*d* (*n* - 1)).\n\n"
    "Passes and gaps come in as *d* (*n* - 1) only: the **window** from the first pass to the "
    "last. Ten passes one tick apart are worth as much as two passes nine ticks apart.",
    hints=(
        "Held for ten ticks on average: it is kept through one tick with 9/10. And through two?",
        "From the first pass to the last there are nine ticks: (9/10) to the power of nine.",
    ),
    still=lambda: retry_law(USUAL, {HOLDS[name]: said for name, said in law.stored.items()}),
    play=widget("Console", law_picture, KNOBS),
)


# -- how long is "at once"?

HOW = ("injected", "fragmented")


def rescued_share(how: str, version: str = "v3") -> Share:
    """Of the pins whose first split was refused by a short reference: how many went through?"""
    return rescued_pins(VARIANT_OF[version], how, dropped_by=1000)


def gained(how: str) -> int:
    """How many microseconds later than with base the reference may go with v2, as measured."""
    base, v2 = (round(best_split(trials(how, variant))) for variant in ("base", "v2"))
    return v2 - base


gap = Card(
    "And in fragmented memory: of 100 such pins, how many does v3 get through?\n"
    "The number of passes is the same: will it be fewer, the same, or more?",
    (12, 36, 66),
    outcome=lambda: round(100 * rescued_share("fragmented").part),
    why=lambda: (
        "The patch waits for nothing. With compaction the passes lie further apart, the window is "
        f"longer, and more pins go through. As measured in lesson 05, it grows from about "
        f"{gained('injected')} to about "
        f"{gained('fragmented')} µs.\n\n"
        "Read the table as *more*, not as so many times more. The law above does not give the "
        "shares: these references were dropped at set times, not by chance. And the times were not "
        "quite the same in both rows."
    ),
    hints=("Lesson 05 has the time from each check to the next, in units, for both.",),
    still=lambda: [
        frame(
            [[interval_of(rescued_share(how))] for how in HOW],
            labels(HOW, "no huge page"),
            ["v3: pins that went through"],
        ),
        "data/kernel-runs: s3_timed_release.csv and s10_s2_real_fragmentation_pins.csv",
    ],
)
