"""The lesson about chance: what was measured, then counts against odds against time.

Interface: the cards bought, often, odds, pace, law, all_three, gap, patch; RACE, and the names that
the text fills in."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from math import prod
from typing import TYPE_CHECKING, Any

from mmsim.engine.explore import explore
from mmsim.engine.schedule import along, parse
from mmsim.evidence.measured import Pins, Share, disturbed, rescued
from mmsim.lessons.card import Card
from mmsim.lessons.form import FormError, Verdict, failed, passed
from mmsim.retrylaw import Retrying, still_there, success
from mmsim.scenarios import Situation, split_race
from mmsim.scenarios.situation import MISSED, NOT_SPLIT
from mmsim.views.chances import (
    ANY_STEP,
    PACES,
    Chances,
    all_failures,
    chances,
    chances_claim,
    chances_sentence,
    chances_svg,
    failure_odds,
    pace_words,
)
from mmsim.views.show import Picture, Table
from mmsim.views.svg import BODY, FILLS, LINE, MUTED, SMALL, TITLE, Svg, legend, swatch
from mmsim.views.words import chance, fraction, read_fraction

if TYPE_CHECKING:
    import pandas as pd

# A huge page of two pages has the same schedules as one of 512, and is quicker to split.
RACE = split_race("base", released="1", order=1)


# -- measured: what the patch bought

LOOP = "oct22"
VARIANT = {"6.1.0": "base", "v3": "v2"}
"""Version -> the measured variant of that loop that behaves like it; both had the first patch."""


@cache
def pins(version: str) -> Pins:
    """The pins beside drop_caches, all set-ups together."""
    return disturbed(VARIANT[version], loop=LOOP)


def ways(version: str) -> dict[str, Share]:
    """How many pins failed in which way: a huge page left whole, or only pieces left."""
    found = pins(version)
    of = found.failed.trials
    return {
        "a huge page could not be split": Share(found.huge_page_left, of),
        "a piece missed its one pass": Share(found.only_pieces_left, of),
    }


def bought_sentence() -> str:
    """The figures in words."""
    parts = []
    for version in VARIANT:
        said = "; ".join(f"{what}: {share}" for what, share in ways(version).items())
        parts.append(f"{version}: {said}")
    return ". ".join(parts) + " pins."


def bought_svg() -> str:
    """A bar for each version, as long as the pins that were tried."""
    (whole, pieces), (whole_v3, pieces_v3) = (
        [share.hits for share in ways(version).values()] for version in VARIANT
    )
    title = (
        f"{whole} against {whole_v3} pins failed with a huge page left whole, "
        f"{pieces} against {pieces_v3} with pieces left"
    )
    svg = Svg(1100, 226, title, f"{title}. {bought_sentence()}")
    svg.text(24, 34, title, 1052, size=TITLE, bold=True)
    left, wide = 230.0, 820.0
    fills = dict(zip(ways("v3"), (FILLS["UNMOVABLE"], FILLS["RECLAIMABLE"]), strict=True))
    names = {"6.1.0": "6.1.0: no second try", "v3": "v3: ten tries"}
    for row, (version, name) in enumerate(names.items()):
        y, x = 64.0 + 60 * row, left
        svg.text(left - 14, y + 23, name, 200, size=BODY, bold=True, anchor="end")
        for what, share in ways(version).items():
            part = wide * share.part
            svg.filled(x, y, part, 36, fills[what], stroke=fills[what].mark, stroke_width=1)
            if part > 100:
                svg.rect(x + part / 2 - 22, y + 8, 44, 20, fill=fills[what].ground)
                svg.text(x + part / 2, y + 23, f"{share.hits}", part, bold=True, anchor="middle")
            x += part
        svg.rect(x, y, left + wide - x, 36, fill="none", stroke=LINE)
        ok = pins(version).failed
        svg.text(x + 14, y + 23, f"{ok.trials - ok.hits} pinned", 300, fill=MUTED)
        first = next(iter(ways(version).values()))
        svg.text(left, y - 5, f"{first.hits} not split", 200, size=SMALL)
    signs = [swatch(svg, fill, what) for what, fill in fills.items()]
    legend(svg, left, 188, wide, signs)
    return svg.render()


def bought_table() -> pd.DataFrame:
    """Shares with their 95 % intervals."""
    import pandas as pd

    columns = {}
    for version in VARIANT:
        cells = []
        for share in (*ways(version).values(), pins(version).failed):
            low, high = (f"{100 * end:.1f}" for end in share.interval)
            cells.append(f"{share}: {100 * share.part:.1f} % ({low} to {high})")
        columns[version] = cells
    index = pd.Index([*ways("v3"), "failed, in either way"], name="way to fail")
    return pd.DataFrame(columns, index=index, dtype=object)


bought = Card(
    "bought",
    "What did the patch change for 510 pins?\n"
    "A real kernel pinned huge pages while somebody wrote to `drop_caches`. No free huge page "
    "could be had. It did so 510 times as 6.1.0, which does not try a refused split again, and 510 "
    "times as v3, the patch as merged. After each failed pin, either a huge page was left whole, "
    "or it had been split and pieces were left.",
    dict.fromkeys(
        ("whole_6_1_0", "whole_v3", "pieces_6_1_0", "pieces_v3"), (0, 5, 60, 240, 256, 500)
    ),
    labels={
        "whole_6_1_0": "6.1.0: pins that failed with a huge page whole",
        "whole_v3": "v3: pins that failed with a huge page whole",
        "pieces_6_1_0": "6.1.0: pins that failed with pieces left",
        "pieces_v3": "v3: pins that failed with pieces left",
    },
    outcome=lambda: {
        f"{kind}_{version.replace('.', '_')}": share.hits
        for version in VARIANT
        for kind, share in zip(("whole", "pieces"), ways(version).values(), strict=True)
    },
    why="The patch tries a refused split again. Hardly any pin of this measurement failed because "
    "a split was refused, so there was hardly anything to win. The pieces of a split page get one "
    "pass each, with the patch or without it.\n\n"
    "Five against none is too little to say how many such failures the patch takes away. Nor can "
    "256 be called a rise: the two intervals overlap.",
    still=lambda: [
        Picture(bought_svg(), bought_sentence()),
        Table(bought_table()),
        "data/kernel-runs/s4_dropcaches_trials.csv, variants base and v2 of the loop of October "
        "2022, both with the first patch; intervals for 95 %; an emulated machine.",
    ],
)


# -- counts and odds

TOSSED = {
    "split": 9714,
    "failed: a huge page could not be split, still mapped": 272,
    "failed: a huge page could not be split, left unmapped": 14,
}
"""10,000 runs of the race by a coin, seed 0; a test makes them again."""
RUNS = 10_000


def chances_shown(rows: Sequence[Chances]) -> list[Any]:
    """Counts and odds as a picture, and in a sentence."""
    return [Picture(chances_svg(rows), chances_sentence(rows)), f"{chances_claim(rows)}."]


often = Card(
    "often",
    "A coin decides every step. In how many of 10,000 runs does the split fail?\n"
    "As in the game: the split has up to 13 steps, the holder takes a reference and drops it.",
    (29, 288, 1000, 2500, 4521),
    outcome=lambda: round(RUNS * failing_at(Fraction(1))),
    why="A holder that comes and goes at once needs two tosses of the coin. For a failure it has "
    "to wait for the right moment, which takes many tosses. So the failing schedules are many, and "
    "each of them is rare.",
    still=lambda: chances_shown(chances(RACE.explore().outcomes(RACE.fate), TOSSED)),
)

SCHEDULES = {"early": "holder*2 split*13", "late": "split*6 holder split*3 holder"}


def tosses(schedule: str) -> list[Fraction]:
    """How likely each step of a schedule of the race was: a half where both could move."""
    return along(RACE, parse(schedule, [actor.name for actor in RACE.actors]))


def judged_odds(answer: dict[str, str]) -> Verdict:
    """The product of the coins."""
    for name, schedule in SCHEDULES.items():
        try:
            given = read_fraction(answer[name])
        except ValueError as error:
            raise FormError(f"{name}: {error}") from None
        parts = tosses(schedule)
        if given != prod(parts):
            why = f"{name}: not {answer[name]}; at which steps could both have moved?"
            n = sum(part < 1 for part in parts)
            return failed(why, second=f"{name}: both could move at {n} of its {len(parts)} steps")
    return passed("a half for each step at which both could have moved")


def crossroads_table() -> pd.DataFrame:
    """How likely single schedules are."""
    import pandas as pd

    rows = []
    chosen = ["holder*2 split*13", "split*13 holder*2", SCHEDULES["late"]]
    for schedule in chosen:
        parts = tosses(schedule)
        end = RACE.fate(RACE.replay(schedule).last)
        halves = sum(part < 1 for part in parts)
        rows.append((len(parts), halves, fraction(Fraction(prod(parts))), end))
    index = pd.Index(chosen, name="schedule", dtype=object)
    columns = ["steps", "crossroads", "odds", "ends"]
    return pd.DataFrame(rows, index=index, columns=columns, dtype=object)


odds = Card(
    "odds",
    "How likely are these two schedules, if a coin decides?\n"
    "Write fractions, such as `1/8`. A step at which only one actor can move needs no coin.",
    dict.fromkeys(SCHEDULES, str),
    labels={name: f"`{name}`: `{schedule}`" for name, schedule in SCHEDULES.items()},
    judge=judged_odds,
    solution={"early": "1/4", "late": "1/1024"},
    hints=(
        "At each step, how many actors could move?",
        "One half for each step at which both could; nothing for the others.",
        "Once one of the two has returned, there is no coin to toss any more.",
    ),
    why="A step at which both could have moved is a *crossroads*. Each of them halves the odds. "
    "The second row of the table has 12 of them for 13 steps of the split: while the count is "
    "frozen, the holder can't move.",
    still=crossroads_table,
)


# -- who is quicker


def fewest_interruptions() -> int:
    """How often somebody has to be interrupted, at least, for a refusal at the freeze."""
    for bound in range(5):
        found = explore(RACE.merged(), preemptions_max=bound)
        if any("unmapped" in end.name for end in found.outcomes(RACE.fate)):
            return bound
    raise AssertionError("no split is refused at the freeze")


def failing_at(pace: Fraction, of: Situation = RACE) -> Fraction:
    """How likely the split fails if it takes so many steps for one of the holder."""
    return all_failures(of, {of.main: pace}).odds or Fraction(0)


def worst_pace() -> str:
    """At which pace the split fails most often."""
    return pace_words(max(PACES, key=failing_at))


@cache
def failing_after(passes: int) -> list[Fraction]:
    """How likely all of so many tries fail, at each pace."""
    tried = RACE.with_(version="v3", passes=passes)
    return [failing_at(pace, tried) for pace in PACES]


def pace_table() -> pd.DataFrame:
    """The odds of all failures together, by who is how quick and how often is tried."""
    import pandas as pd

    columns = {}
    for n in (1, 2, 3, 10):
        name = f"{n} {'pass' if n == 1 else 'passes'}"
        columns[name] = list(map(chance, failing_after(n)))
    index = pd.Index([*map(pace_words, PACES)], name="pace, split : holder", dtype=object)
    return pd.DataFrame(columns, index=index, dtype=object)


def play_pace() -> Any:
    """The sliders."""
    from mmsim.widgets.explorer import explorer

    return explorer(RACE)


pace = Card(
    "pace",
    "The coin is loaded now. At which pace does the split fail most often?\n"
    "`pace` 9 : 1 means nine steps of the split for one of the holder, on the average. And how "
    "many interruptions does a schedule need at least, to be refused at the freeze? An "
    "*interruption* is a change from an actor that could have gone on.",
    {"pace": tuple(map(pace_words, PACES)), "interruptions": (0, 1, 2, 3, 4)},
    outcome=lambda: {"pace": worst_pace(), "interruptions": fewest_interruptions()},
    why="A holder as quick as the split has gone again before the split looks. A very slow one "
    "comes when all is over. Worst is a holder that stays about as long as the split takes.\n\n"
    "Few interruptions are enough for most failures. So tools that look for races begin with "
    "schedules that have few.",
    still=lambda: chances_shown(
        chances(RACE.explore().outcomes(RACE.fate, {RACE.main: Fraction(9)}))
    ),
    play=play_pace,
)
passes = Card(
    "passes",
    "The same with several passes: how likely all tries fail",
    still=pace_table,
    needs=(pace,),
)


# -- the retry law

HOLDS = {"ten": 10, "hundred": 100, "thousand": 1000}


def percent(setting: Retrying, hold: int) -> int:
    """In how many of 100 cases a later pass finds the reference gone."""
    return round(100 * success(setting, hold))


def still_law() -> Any:
    """The law as a chart, with measured pins beside it."""
    from mmsim.views.retry_chart import ASKED, retry_law

    return retry_law(guess=dict(zip(ASKED, law.stored.values(), strict=True)))


def play_law() -> Any:
    """The sliders over the law."""
    from mmsim.widgets.retry import retry_sliders

    return retry_sliders()


law = Card(
    "law",
    "Ten passes, one tick apart; the first has met a reference. In how many of 100 cases does a "
    "later pass find it gone?\n"
    "Time goes in *ticks*. The holder lets go with the same chance in every tick: 1/10 in each, if "
    "it holds for 10 ticks on average.",
    dict.fromkeys(HOLDS, (1, 9, 25, 61, 90, 99)),
    labels={name: f"held for {ticks:,} ticks on average" for name, ticks in HOLDS.items()},
    outcome=lambda: {name: percent(Retrying(), ticks) for name, ticks in HOLDS.items()},
    why="What is dropped with the chance *r* in a tick is kept with the chance 1 - *r*. A pass "
    "that comes *d* ticks later meets it with (1 - *r*)^*d*. All *n* passes meet it, given that "
    "the first did, with (1 - *r*)^(*d* (*n* - 1)).\n\n"
    "Passes and gaps come in as *d* (*n* - 1) only: the **window** from the first pass to the "
    "last. Ten passes one tick apart are worth as much as two passes nine ticks apart.",
    still=still_law,
    play=play_law,
)


def judged_law(answer: str) -> Verdict:
    """Three passes, two ticks apart, held for four ticks: (3/4) ** 4."""
    try:
        given = read_fraction(answer)
    except ValueError as error:
        raise FormError(str(error)) from None
    right = still_there(Fraction(1, 4), Retrying(3, 2).window)
    if given == right:
        return passed("three chances in four, for each of four ticks")
    if given == 1 - right:
        return failed("that is the chance that a later pass finds it gone; all three shall meet it")
    said = "the window is 4 ticks long, and in each tick it is kept with 3/4"
    return failed("how many ticks lie between the first and the last pass?", second=said)


all_three = Card(
    "all_three",
    "A reference is held for 4 ticks on average. Three passes, two ticks apart; the first has met "
    "it. How likely do all three meet it?\nWrite a fraction, such as `1/2`.",
    str,
    judge=judged_law,
    solution="81/256",
    hints=("How long is the window?", "With which chance is it kept in one tick?"),
)


# -- how long is "at once"?

HOW = {
    "at_once": ("injected", "asking for a huge page fails at once"),
    "after_compaction": ("fragmented", "each pass first compacts memory, in vain"),
}
MICROSECONDS = 1000


def share_of(name: str, variant: str = VARIANT["v3"]) -> Share:
    """Of the pins whose first split was refused by a short reference: how many went through."""
    return rescued(variant, HOW[name][0], MICROSECONDS)


def rescued_table() -> pd.DataFrame:
    """Both ways to run out of huge pages, without the retry and with it."""
    import pandas as pd

    rows = []
    for name, (_, words) in HOW.items():
        base, v3 = (share_of(name, variant) for variant in VARIANT.values())
        low, high = (f"{end:.0%}" for end in v3.interval)
        rows.append((words, str(base), str(v3), f"{v3.part:.0%} ({low} to {high})"))
    index = pd.Index([*HOW], name="", dtype=object)
    columns = ["what happens", "6.1.0", "v3", "share of v3"]
    return pd.DataFrame(rows, index=index, columns=columns, dtype=object)


gap = Card(
    "gap",
    "Measured: v3 met a reference at its first split, and it was dropped within a millisecond. How "
    "many percent of these pins went through?\n"
    "The number of passes is the same in both rows. What differs is what happens between two of "
    "them.",
    dict.fromkeys(HOW, (5, 36, 66, 95)),
    labels={name: words for name, (_, words) in HOW.items()},
    outcome=lambda: {name: round(100 * share_of(name).part) for name in HOW},
    why="The patch waits for nothing. Each of the ten passes takes some tens of microseconds here, "
    "and surely less on a real machine. That is all that *at once* means. With compaction the "
    "passes lie further apart, the window is longer, and more pins go through.\n\n"
    "Read it as *more*, not as 1.8 times: the emulated machine's clock is slow and uneven, and the "
    "references were not dropped at quite the same times in both.",
    still=lambda: [
        Table(rescued_table()),
        "data/kernel-runs: s3_timed_release.csv, s10_s2_real_fragmentation_pins.csv, variants base "
        "and v2 of both loops; intervals for 95 %.",
    ],
)


# -- which way to fail does the patch change?

WAYS = {"huge_page": NOT_SPLIT, "piece": MISSED}
PASSES = 2
_WALKED = {
    "huge_page": "what does the patch do after a refusal, and will the walk still be there?",
    "piece": "one walk comes to each page once. Who was in the way of a refused split: before "
    "there are pieces, or behind them?",
}
_BECAUSE = {
    "huge_page": "the patch tries the split again",
    "piece": "a piece still has its single attempt, and the walk that refused the split does not "
    "come to the pieces",
}


@cache
def way_odds(version: str, way: str) -> Fraction:
    """How likely a pin fails in this way beside one drop_caches, which begins at any step."""
    found = failure_odds(version, passes=PASSES, starts=(ANY_STEP,))[ANY_STEP]
    return found.get(WAYS[way], Fraction(0))


def change_of(way: str) -> str:
    """From 6.1.0 to v3."""
    old, new = (way_odds(version, way) for version in VARIANT)
    return "same" if old == new else "smaller" if new < old else "larger"


def judged_patch(answer: dict[str, str]) -> Verdict:
    """By the search of both versions."""
    for way in WAYS:
        if answer[way] != change_of(way):
            old, new = (chance(way_odds(version, way)) for version in VARIANT)
            second = f"{way}: {old} in 6.1.0, {new} in v3; {_BECAUSE[way]}"
            return failed(f"{way}: not {answer[way]}; {_WALKED[way]}", second=second)
    return passed("; ".join(_BECAUSE.values()))


def ways_table() -> pd.DataFrame:
    """The model's odds beside the measured shares."""
    import pandas as pd

    rows = {}
    for way, share in zip(WAYS, ways("v3"), strict=True):
        words = WAYS[way].removeprefix("failed: ")
        rows["model, odds", words] = [chance(way_odds(version, way)) for version in VARIANT]
        rows["measured, all set-ups", words] = [str(ways(version)[share]) for version in VARIANT]
    ordered = sorted(rows.items(), key=lambda row: row[0][0] != "model, odds")
    index = pd.Index([f"{where}: {words}" for (where, words), _ in ordered], name="way to fail")
    return pd.DataFrame([row for _, row in ordered], index, columns=[*VARIANT], dtype=object)


patch = Card(
    "patch",
    "In the model VFIO maps a huge page, and one walk of `drop_caches` begins at any step. What "
    "does the patch do to the odds of each way to fail?\n"
    "`huge_page`: it could not be split. `piece`: it was split, and a piece missed its one pass. "
    "From 6.1.0 to v3, all orders of the steps are searched.",
    dict.fromkeys(WAYS, ("smaller", "same", "larger")),
    judge=judged_patch,
    solution={"huge_page": "smaller", "piece": "same"},
    hints=(
        "What does the patch try again, and what not?",
        "A pin that was rescued has pieces now. Will the same walk come to them?",
    ),
    why="More pins come to have pieces with the patch, and still no more of them fail at a piece. "
    "One write walks over the file once, and whoever was in the way of the first try has gone past "
    "the page by the time it lets go. With two writes a rescued pin can miss a piece.\n\n"
    "Don't compare odds with shares: a coin is not a machine, and two pieces are not 512. Compare "
    "what the patch changes, and what it leaves alone. That is the same here and there.",
    still=lambda: Table(ways_table()),
)
