"""Lesson 05: drop_caches as the holder, what the patch cannot reach, and how long "at once" is.

Interface: the pictures walk, steps_of_a_walk; the cards recall, meeting, window, left, longer;
Window, windows, meets, and the names that the text fills in."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from mmsim.engine.scenario import Move, State
from mmsim.engine.schedule import render
from mmsim.engine.trace import Trace
from mmsim.evidence import timed
from mmsim.lessons.card import Card, checked, keyed
from mmsim.lessons.form import Choices, FormError, Verdict, failed, passed
from mmsim.scenarios import SMALL, Situation, drop_caches_only, pin_versus, timed_hold
from mmsim.scenarios.races import attempts
from mmsim.scenarios.situation import ALL_MOVED, MISSED, NOT_SPLIT
from mmsim.views.figures import STYLE, Chart, legend, panelled
from mmsim.views.show import Picture, Shown, moment
from mmsim.views.svg import (
    BLUE,
    FILLS,
    INK,
    LINE,
    MUTED,
    ORANGE,
    PAPER,
    TITLE,
    VERMILION,
    Svg,
    swatch,
)
from mmsim.views.svg import SMALL as SMALL_TEXT
from mmsim.views.svg import legend as signs_below
from mmsim.views.tables import counters_by_version, steps

if TYPE_CHECKING:
    import pandas as pd

WALK = "drop_caches"


# -- the two windows of a walk


class Window(NamedTuple):
    """Of one page: after how many steps of the walk it is locked, unlocked, and let go of."""

    name: str
    locked: int
    unlocked: int
    gone: int


def windows(trace: Trace) -> list[Window]:
    """The windows of every page that the walk had locked, in its order."""
    worlds = [trace.state(position).world for position in range(len(trace) + 1)]
    found = []
    for pfn, folio in worlds[0].folios.items():
        has_lock = [at for at, w in enumerate(worlds) if w.folio(pfn).locked_by == WALK]
        has_reference = [at for at, w in enumerate(worlds) if WALK in dict(w.folio(pfn).held)]
        if has_lock:
            found.append(Window(folio.name, has_lock[0], has_lock[-1] + 1, has_reference[-1] + 1))
    return found


def windows_picture(trace: Trace) -> Picture:
    """A row for each page, the steps of the walk to the right."""
    title = "Locked until its own turn is over, referenced until the whole batch is through"
    found = windows(trace)
    words = "; ".join(
        f"{w.name} is locked for {w.unlocked - w.locked} steps and then only referenced for "
        f"{w.gone - w.unlocked}"
        for w in found
    )
    wide, left, top, row = 900.0, 76.0, 58.0, 30.0
    bottom, scale = top + row * len(found), (wide - left - 36) / len(trace)
    svg = Svg(wide, bottom + 70, title, f"{words}.")
    svg.text(18, 30, title, wide - 36, size=TITLE, bold=True)
    svg.text(18, bottom + 18, "steps", 50, size=SMALL_TEXT, fill=MUTED)
    for step in range(0, len(trace) + 1, 5):
        x = left + step * scale
        svg.line(x, top - 6, x, bottom + 4, stroke=LINE)
        svg.text(x, bottom + 18, f"{step}", 40, size=SMALL_TEXT, fill=MUTED, anchor="middle")
    both, one = FILLS["actor 1"], FILLS["not counted on"]
    for number, window in enumerate(found):
        y = top + number * row
        svg.text(18, y + 17, window.name, 50, bold=True)
        for begin, end, fill in (
            (window.locked, window.unlocked, both),
            (window.unlocked, window.gone, one),
        ):
            x, w = left + begin * scale, (end - begin) * scale
            svg.filled(x, y, w, row - 7, fill, stroke=INK, stroke_width=1)
    signs = [swatch(svg, both, "locked, and referenced")]
    signs.append(swatch(svg, one, "referenced, not locked any more"))
    signs_below(svg, left, bottom + 34, wide - 120, signs)
    return Picture(svg.render(), f"{title}. {words}.")


@cache
def walk_over(pages: int) -> Trace:
    """drop_caches alone, over a file of so many huge pages."""
    return drop_caches_only(folios=pages).run()


walk = Shown(lambda: windows_picture(walk_over(4)))
steps_of_a_walk = Shown(lambda: steps(walk_over(1)))


# -- recall

recall = Card(
    "recall",
    "Two questions about lesson 04, from memory.",
    {
        "lock": Choices(
            a="whoever takes a reference", b="whoever moves, splits or truncates the page"
        ),
        "code": Choices(a="a missing destination", b="references", c="any refusal"),
    },
    labels={
        "lock": "Who needs the page's own lock?",
        "code": "What does `-EAGAIN` from a split stand for, in v2?",
    },
    judge=keyed(
        {
            "lock": ("b", "a reference can be taken without the lock, also while somebody has it"),
            "code": ("b", "a refusal for another reason keeps its code"),
        }
    ),
    solution={"lock": "b", "code": "b"},
    hints=("lock: what would go wrong without it?", "code: why did it need a code of its own?"),
)


# -- a pin comes while drop_caches stands still

WAITS, FAILS, PINS = "waits", "fails", "succeeds"


def meets(version: str, taken: int) -> tuple[Situation, State, str]:
    """A pin that runs alone, as far as it can, after `taken` steps of drop_caches."""
    situation = pin_versus(version, order=1)
    state = situation.initial()
    for _ in range(taken):
        if situation.blocked(state, WALK) is None:
            state, _ = situation.step(state, Move(WALK))
    while situation.blocked(state, situation.main) is None:
        state, _ = situation.step(state, Move(situation.main))
    if not situation.local(state, situation.main).finished:
        return situation, state, WAITS
    return situation, state, PINS if situation.succeeded(state) else FAILS


def first_window() -> Window:
    """The windows of the walk over a single huge page."""
    return windows(walk_over(1))[0]


def stepper() -> Any:
    """The pin beside drop_caches in the stepper."""
    from mmsim.widgets import stepper

    return stepper(pin_versus(), versions=("base", "v1", "v2"))


def held_up() -> list[Any]:
    """The check of a pin that comes in the second window."""
    run = pin_versus().run()
    return moment(run, run.find("can_split_folio"))


meeting = Card(
    "meeting",
    "A pin comes, and `drop_caches` stands still: what becomes of the pin, in base?\n"
    "Both touch the same huge page, and no huge page is free elsewhere.",
    dict.fromkeys(("lock", "reference"), (WAITS, FAILS, PINS)),
    labels={
        "lock": "while `drop_caches` has the lock",
        "reference": "later, with only its reference left",
    },
    outcome=lambda: {
        "lock": meets("base", first_window().locked)[2],
        "reference": meets("base", first_window().unlocked)[2],
    },
    why="Only one of the two windows hurts. While the page is locked, the split of Linux 6.1 "
    "sleeps until the lock is free. (Later kernels make asynchronous passes first. In 6.12 these "
    "only try the lock.) After that the page is unlocked and has one reference too many, so the "
    "check refuses the split.\n\n"
    "In the run of the stepper `drop_caches` is held up right after `folio_unlock()`, and goes on "
    "before pass 1.",
    still=held_up,
    play=stepper,
)


def judged_window(taken: int) -> Verdict:
    """drop_caches takes so many steps, and then the pin of v2 runs alone."""
    last, window = len(walk_over(1)), first_window()
    if taken not in range(last + 1):
        raise FormError(f"the walk has {last} steps: write a number from 0 to {last}")
    _, state, fate = meets("v2", taken)
    if window.unlocked <= taken < window.gone:
        refused = state.world.vmstat["thp_split_page_failed"]
        return passed(
            f"after {taken} steps the page is unlocked and has one reference too many",
            "Just here it is off its LRU list, too. So the pin can't isolate it, and waits until "
            "the batch of step 9 is through (step 12). Then it is refused."
            if fate == WAITS
            else f"As long as drop_caches stands still, v2 tries in each pass: {refused} refusals.",
        )
    if taken < window.locked:
        why = "has drop_caches had the page's lock by then?"
    else:
        why = "what does drop_caches still have by then: the lock, the reference, or nothing?"
    if fate == WAITS:
        told = f"after {taken} steps drop_caches has the lock of the page: the pin waits"
    elif fate == FAILS:
        told = f"after {taken} steps it fails, but drop_caches has yet to lock the page"
    else:
        who = "drop_caches is done with the page" if taken >= window.gone else "nobody is there yet"
        told = f"after {taken} steps the split goes through: {who}"
    return failed(why, second=told)


COUNTED = ["thp_migration_fail", "thp_split_page_failed", "migrate_pages returns", "pin returns"]

window = Card(
    "window",
    "A pin comes in the second window: after how many steps of `drop_caches`?\n"
    "There is more than one right answer.",
    int,
    form="a number of steps",
    judge=judged_window,
    solution=8,
    hints=(
        "In Linux 6.1 the lock only makes the pin wait. Which steps come after folio_unlock()?",
        "folio_put() ends the window: the reference is gone.",
        "Count the steps of the walk: after folio_unlock() the window is open.",
    ),
    why="If `drop_caches` then goes on before pass 1, base fails with the reported pair, and v2 is "
    "refused once.",
    still=lambda: counters_by_version(pin_versus(order=1), ("base", "v1", "v2")).loc[COUNTED],
)


# -- what the patch does not reach

ENDS = {"not_split": NOT_SPLIT, "piece_missed": MISSED, "mapped": "mapped"}
ENDINGS = {
    "not_split": "a huge page is left, its split was refused",
    "piece_missed": "all is split, but a piece was locked or referenced in its one pass",
    "mapped": "the pin succeeds",
}


@cache
def reached(version: str) -> dict[str, Any]:
    """Every order of the steps of a small pin and one drop_caches: end -> a shortest schedule."""
    found = pin_versus(version, **SMALL).explore()
    assert found.complete
    outcomes = found.outcomes(found.scenario.outcome)  # type: ignore[attr-defined]
    return {each.name: each.shortest for each in outcomes if each.shortest is not None}


def reached_table() -> pd.DataFrame:
    """Which ends can be reached, and in how many steps at the least."""
    import pandas as pd

    rows = {
        end: {
            version: f"in {len(reached(version)[end])} steps"
            if end in reached(version)
            else "never"
            for version in ("base", "v2")
        }
        for end in (*ENDS.values(), ALL_MOVED)
    }
    return pd.DataFrame(rows).T.rename_axis("how it can end")


def all_ends() -> dict[str, bool]:
    """Which ends can be reached."""
    return {f"{v}_{end}": name in reached(v) for v in ("base", "v2") for end, name in ENDS.items()}


def end_told(part: str) -> str:
    """A shortest way to an end, if there is one."""
    version, _, end = part.partition("_")
    schedule = reached(version).get(ENDS[end])
    if not schedule:
        return f"{version} never ends so, in any order of the steps"
    how = "a shortest order of steps (pin*9 means nine steps of the pin)"
    return f"{version} can end so; {how}: {render(schedule)}"


left = Card(
    "left",
    "Imagine every order in which the steps of a pin and of one `drop_caches` can follow each "
    "other: which of these ends can be reached?",
    {f"{version}_{end}": bool for version in ("base", "v2") for end in ENDS},
    labels={
        f"{v}_{end}": f"{v}: {words}" for v in ("base", "v2") for end, words in ENDINGS.items()
    },
    outcome=all_ends,
    judge=checked(
        all_ends,
        lambda _, said: (
            "what is returned once a page was split?"
            if said
            else "can drop_caches stand still for long enough, at the wrong moment?"
        ),
        end_told,
        "of these two failures the patch takes none away",
    ),
    hints=(
        "Base counts a split as a failure, whatever becomes of the pieces.",
        "drop_caches can stand still for as long as ten passes take.",
        "The pieces have a round of their own, with one pass, in every version.",
    ),
    why="The patch makes the first failure rarer and does not touch the second. The same shortest "
    "way leads to a missed piece in both versions. The last row of the table is the return value "
    "that the companion mends.",
    still=reached_table,
)


# -- how long is "at once"?

UNIT_US = 0.59
"""Microseconds per unit of the model's clock, the one number that is fitted (`compare.timed`)."""
HOW = {
    "injected": ("failure injected", "o", VERMILION, BLUE, "-"),
    "fragmented": ("really fragmented", "s", PAPER, ORANGE, "--"),
}


@cache
def last_look(version: str, how: str) -> int:
    """When the last attempt at a split looks at the count, in units of the clock."""
    return round(attempts(timed_hold(version, hold=100_000, allocation=how, order=1))[-1])


def release_chart() -> Chart:
    """Measured pins by release time, and where the model takes its last look."""
    import matplotlib
    import pandas as pd

    looks = {(v, how): round(last_look(v, how) * UNIT_US) for v in ("base", "v2") for how in HOW}
    rows = {
        (v, HOW[how][0]): (
            len(timed.trials(how, v)),
            round(timed.best_split(timed.trials(how, v))),
            at,
        )
        for (v, how), at in looks.items()
    }
    heads = ["pins", "turns at, measured (µs)", "last look, model (µs)"]
    table = pd.DataFrame(list(rows.values()), pd.MultiIndex.from_tuples(rows), heads)
    table.index.names = ["version", "no huge page"]
    gains = " and ".join(
        f"{looks['v2', how] - looks['base', how]} µs ({HOW[how][0]})" for how in HOW
    )
    sentence = f"In the model the last look of v2 comes later than that of base, by {gains}."
    note = "data/kernel-runs/, S3 and S10: one huge page, a timed reference; 95 % intervals"
    with matplotlib.rc_context(STYLE):
        title = "How late may a reference go? Ten attempts reach later than one"
        figure, panels = panelled(2, title, note)
        for panel, version in zip(panels, ("base", "v2"), strict=True):
            handles = [part for how in HOW for part in drawn(panel, version, how)]
            panel.set_title(version, fontsize=11, loc="left")
            panel.set_xlabel("reference dropped at (µs)", labelpad=1)
            panel.set_xlim(0, timed.LATEST_US)
        panels[0].set_yticks([0, 0.5, 1], ["0", "50 %", "100 %"])
        panels[0].set_ylabel("pins that fail")
        legend(figure, handles)
    return Chart(figure, sentence, table, f"Two panels of points, each with two lines. {sentence}")


def drawn(panel: Any, version: str, how: str) -> list[Any]:
    """The measured points of one kind of pin, and the model's last look."""
    _, shape, fill, colour, dash = HOW[how]
    binned = sorted(timed.bins(timed.trials(how, version)).items())
    shares = [share.part for _, share in binned]
    low, high = zip(*(share.interval for _, share in binned), strict=True)
    points = panel.errorbar(
        [at + timed.BIN_US / 2 + (14 if how == "fragmented" else -14) for at, _ in binned],
        shares,
        [[p - x for p, x in zip(shares, low, strict=True)],
         [x - p for p, x in zip(shares, high, strict=True)]],
        fmt=shape, color=fill, ecolor=INK, capsize=3, elinewidth=0.8, markeredgecolor=INK,
        label=f"measured, {how}",
    )  # fmt: skip
    at = last_look(version, how) * UNIT_US
    return [points, panel.axvline(at, color=colour, ls=dash, lw=2, label=f"model, {how}")]


def judged_longer(answer: str) -> Verdict:
    """Judged by the clock: until when does a reference have to go?"""
    short, long = last_look("v2", "injected"), last_look("v2", "fragmented")
    right = "later" if long > short else "earlier" if long < short else "the same"
    if answer != right:
        return failed(
            "when does the last of the ten attempts look at the count?",
            second=f"{right}: the last look comes after {long:,} units instead of {short:,}",
        )
    return passed(f"the last of ten looks at the count after {long:,} units instead of {short:,}")


longer = Card(
    "longer",
    "Memory is fragmented, and each attempt compacts it in vain: for the pin of v2 to succeed, may "
    "the reference go earlier than without compaction, later, or at the same time?",
    ("earlier", "the same", "later"),
    judge=judged_longer,
    solution="later",
    hints=(
        "The patch makes no pause. What takes most of the time between two attempts?",
        "An attempt asks for a huge page first, and compaction is part of that.",
        "Ten attempts that last longer end later.",
    ),
    why="What the patch gains is the time that its attempts happen to take.",
    still=release_chart,
)
