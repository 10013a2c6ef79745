"""Lesson 05: drop_caches as the holder, what the patch cannot reach, and how long "at once" is.

Interface: the table steps_of_a_walk; the cards walk, meeting, window, left, longer."""

from __future__ import annotations

from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from mmsim.engine.scenario import Move, State
from mmsim.engine.trace import Trace
from mmsim.evidence.measured import BIN_US, LATEST_US, best_split, bins, trials
from mmsim.lessons.card import Card, checked
from mmsim.lessons.form import FormError, Verdict, failed, passed
from mmsim.scenarios import SCENARIOS, Situation, drop_caches_only, pin_versus, timed_hold
from mmsim.scenarios.clock import attempts
from mmsim.scenarios.situation import ALL_MOVED, MISSED, NOT_SPLIT
from mmsim.views.charts import Axis, Plot, Style, dot_sign, line_sign, percent
from mmsim.views.show import Picture, Shown
from mmsim.views.state import state_picture
from mmsim.views.svg import (
    BLUE,
    FILLS,
    INK,
    LINE,
    ORANGE,
    PAPER,
    VERMILION,
    Sign,
    Svg,
)

if TYPE_CHECKING:
    import pandas as pd

WALK = "drop_caches"
VERSIONS = ("base", "v2")


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
    wide, left, top, row = 640.0, 56.0, 76.0, 30.0
    bottom, scale = top + row * len(found), (wide - left - 36) / len(trace)
    svg = Svg(wide, bottom + 70, title, f"{words}.")
    svg.headline(18, 28, wide - 36, title)
    svg.note(10, bottom + 18, "steps", 50)
    for step in range(0, len(trace) + 1, 5 if len(trace) < 60 else 10):
        x = left + step * scale
        svg.line(x, top - 6, x, bottom + 4, stroke=LINE)
        svg.note(x, bottom + 18, f"{step}", 40, anchor="middle")
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
    signs = [svg.swatch(both, "locked, and referenced")]
    signs.append(svg.swatch(one, "referenced, not locked any more"))
    svg.legend(left, bottom + 34, wide - left - 18, signs)
    return Picture(svg.render(), f"{title}. {words}.")


@cache
def walk_over(pages: int) -> Trace:
    """drop_caches alone, over a file of so many huge pages."""
    return drop_caches_only(folios=pages).run()


def walk_slider() -> Any:
    """The windows, with a knob for how many pages there are."""
    from mmsim.widgets.console import knobs_beside

    known = [knob for knob in SCENARIOS["drop_caches_only"].knobs if knob.name == "folios"]
    return knobs_beside(drop_caches_only(folios=4), known, lambda walk: windows_picture(walk.run()))


walk = Card(
    "walk",
    "One walk of `drop_caches` over one file.",
    still=lambda: windows_picture(walk_over(4)),
    play=walk_slider,
)


def walk_table() -> pd.DataFrame:
    """The steps of the walk over one page that change something about it."""
    import pandas as pd

    trace = walk_over(1)
    rows = {}
    for step, event in enumerate(trace.events, start=1):
        ((before,), (page,)) = (trace.state(n).world.folios.values() for n in (step - 1, step))
        if page != before:
            lock, lru = "drop_caches" if page.locked_by else "nobody", "yes" if page.lru else "no"
            rows[step] = (f"{event.op.kind.name}()", page.refcount, lock, lru)
    heads = ["the walk calls", "references", "who has the lock", "on an LRU list?"]
    return pd.DataFrame.from_dict(rows, "index", columns=heads).rename_axis("step")


steps_of_a_walk = Shown(walk_table)


# -- a pin comes while drop_caches stands still

WAITS, FAILS, PINS = "waits", "fails", "succeeds"


def meets(version: str, taken: int, until: int = 0) -> tuple[Situation, State, str]:
    """A pin that runs alone, as far as it can, after `taken` steps of drop_caches.

    If it has to wait by then, drop_caches goes on until it has taken `until` steps."""
    situation = pin_versus(version, order=1)
    state = situation.initial()
    for steps in (taken, until - taken):
        for _ in range(steps):
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

    return stepper(pin_versus(), versions=VERSIONS)


def held_up() -> Picture:
    """The check of a pin that comes in the second window."""
    return state_picture(pin_versus().run().at("can_split_folio"))


def meetings() -> dict[str, str]:
    """What becomes of a pin in base that comes in each window, and of one that had to wait."""
    first = first_window()
    return {
        "lock": meets("base", first.locked)[2],
        "reference": meets("base", first.unlocked)[2],
        "waited": meets("base", first.locked, first.unlocked)[2],
    }


meeting = Card(
    "meeting",
    "In base a pin comes, and `drop_caches` stands still. Guess: what does the pin do next?\n"
    "Both touch the same huge page, and no huge page is free elsewhere.",
    dict.fromkeys(("lock", "reference", "waited"), (WAITS, FAILS, PINS)),
    labels={
        "lock": "`drop_caches` has the lock",
        "reference": "later: only its reference is left",
        "waited": "the pin waited; `drop_caches` gives the lock back, and then stands still",
    },
    outcome=meetings,
    why="A lock alone refuses nothing: the split of Linux 6.1 sleeps until the lock is free. But "
    "then it runs straight into the second window. The page has one reference too many, and the "
    "check refuses the split. So both windows end in a failure.\n\n"
    "In the run of the stepper `drop_caches` is held up right after `folio_unlock()`, and goes on "
    "only after the refusal.",
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
            f"after step {taken} the page is unlocked and has one reference too many",
            "Just here it is off its LRU list, too. So the pin can't isolate it, and waits until "
            "the processor's queue is empty (step 12). Then it is refused."
            if fate == WAITS
            else f"As long as drop_caches stands still here, each pass of v2 meets the reference: "
            f"{refused} refusals.",
        )
    if taken < window.locked:
        why = "has drop_caches had the page's lock by then?"
    else:
        why = "what does drop_caches still have by then: the lock, the reference, or nothing?"
    if fate == WAITS:
        told = f"after step {taken} drop_caches has the lock of the page: the pin waits"
    elif fate == FAILS:
        told = f"after step {taken} it fails, but drop_caches has yet to lock the page"
    else:
        who = "drop_caches is done with the page" if taken >= window.gone else "nobody is there yet"
        told = f"after step {taken} the split goes through: {who}"
    return failed(why, second=told)


def window_table() -> pd.DataFrame:
    """What a pin of v2 does after so many steps of the walk."""
    import pandas as pd

    told = {
        PINS: "nobody is in the way: it succeeds",
        FAILS: "it meets the reference in each pass, and fails",
    }
    rows: dict[str, str] = {}
    for does, group in groupby(range(len(walk_over(1)) + 1), lambda n: meets("v2", n)[2]):
        steps = list(group)
        name = f"{steps[0]}" if len(steps) == 1 else f"{steps[0]} to {steps[-1]}"
        locked = steps[0] < first_window().unlocked
        waits = "the lock"
        if not locked:  # once drop_caches goes on
            waits = "the page to be back on its LRU list; then it meets the reference, and fails"
        rows[name] = told.get(does, f"it waits for {waits}")
    return pd.DataFrame({"v2's pin": rows}).rename_axis("after step")


window = Card(
    "window",
    "After which step of `drop_caches` can a pin of v2 come, to fall into the second window?\n"
    "From then on `drop_caches` stands still: do ten passes help? Name one of the right numbers.",
    int,
    form="the number of a step",
    judge=judged_window,
    solution=8,
    hints=(
        "In the second window drop_caches has a reference on the page, and not the lock.",
        "folio_unlock() opens the window. Which step drops the walk's own reference?",
    ),
    why="Step 2 has taken the reference, and step 3 takes the lock. A pin that comes just between "
    "them fails, too.",
    still=window_table,
)


# -- what the patch does not reach

ENDS = {"not_split": NOT_SPLIT, "piece_missed": MISSED, "succeeds": "mapped"}
ENDINGS = {
    "not_split": "the page is not split, and the pin fails",
    "piece_missed": "the page is split, a piece is missed in its one pass, and the pin fails",
    "succeeds": "the page is split, and the pin succeeds",
}
MISSED_BY = "pin*26 drop_caches*3 pin*7 drop_caches*2 pin drop_caches pin*19 drop_caches*3"
REACHED = {
    "base": {
        NOT_SPLIT: "pin*20 drop_caches*2 pin*2 drop_caches pin*6 drop_caches*3",
        ALL_MOVED: "pin*23 drop_caches*4 pin*32 drop_caches*2",
        MISSED: MISSED_BY,
    },
    "v2": {
        NOT_SPLIT: "pin*20 drop_caches*2 pin*13 drop_caches pin*6 drop_caches*3",
        MISSED: MISSED_BY,
        "mapped": "pin*23 drop_caches*4 pin*47 drop_caches*2",
    },
}
"""Every end that some order of steps comes to, with a shortest one.  A test searches for them."""


def reached_table() -> pd.DataFrame:
    """Which ends can be reached."""
    import pandas as pd

    words = {ENDS[end]: told for end, told in ENDINGS.items()}
    words[ALL_MOVED] = "everything moves, and the pin fails: the return value of lesson 04"
    rows = {
        told: {v: "can happen" if end in REACHED[v] else "never" for v in VERSIONS}
        for end, told in words.items()
    }
    return pd.DataFrame(rows).T.rename_axis("how it can end")


def all_ends() -> dict[str, bool]:
    """Which of the asked ends can be reached."""
    return {f"{v}_{end}": name in REACHED[v] for v in VERSIONS for end, name in ENDS.items()}


def end_told(part: str) -> str:
    """A shortest way to an end, if there is one."""
    version, _, end = part.partition("_")
    schedule = REACHED[version].get(ENDS[end])
    if not schedule:
        return f"{version} never ends so, in any order of the steps"
    how = "a shortest order of steps (pin*9 means nine steps of the pin)"
    return f"{version} can end so; {how}: {schedule}"


left = Card(
    "left",
    "A pin and one `drop_caches`: is there an order of their steps in which it ends like this?",
    {f"{version}_{end}": bool for version in VERSIONS for end in ENDS},
    labels={f"{v}_{end}": f"{v}: {words}" for v in VERSIONS for end, words in ENDINGS.items()},
    outcome=all_ends,
    judge=checked(
        all_ends,
        lambda _, said: (
            "what does migrate_pages() of base return once a page was split?"
            if said
            else "can drop_caches stand still for long enough, at the wrong moment?"
        ),
        end_told,
        "of these two failures the patch takes none away",
    ),
    hints=(
        "Base counts a split as a failure, whatever becomes of the pieces.",
        "drop_caches can stand still for as long as ten passes take.",
        "Each piece has one pass, in every version.",
    ),
    why="v2 can still fail in both ways: it makes the first one rarer, and does not touch the "
    "second. The same shortest order leads to a missed piece in both versions.\n\n"
    "In base this pin *never* succeeds. It needs a split, and then base returns a positive number "
    "(lesson 04). The companion mends that.",
    still=reached_table,
)


# -- how long is "at once"?

UNIT_US, BASE_US = 0.59, 559
"""Microseconds per unit of the model's clock, the one number that is fitted, and the latest release
of base in fragmented memory.  Tests compute both."""
HOW: dict[str, tuple[str, str, Style]] = {
    "injected": ("circle", VERMILION, {"stroke": BLUE, "stroke_width": 2}),
    "fragmented": (
        "square",
        PAPER,
        {"stroke": ORANGE, "stroke_width": 2, "stroke_dasharray": "6 4"},
    ),
}


@cache
def looks(version: str, how: str) -> list[int]:
    """When each attempt at a split looks at the count, in units of the clock."""
    situation = timed_hold(version, hold=100_000, allocation=how, order=1)
    return [round(look) for look in attempts(situation)]


@cache
def turns() -> dict[tuple[str, str], tuple[int, int, int]]:
    """How late the reference may go, in microseconds, in base and v2, and what v2 gains."""
    found = {}
    for how in HOW:
        measured = [round(best_split(trials(how, version))) for version in VERSIONS]
        model = [round(looks(version, how)[-1] * UNIT_US) for version in VERSIONS]
        for side, (base, v2) in (("measured", measured), ("model", model)):
            found[how, side] = (base, v2, v2 - base)
    return found


def release_chart() -> list[Any]:
    """Measured pins by release time, and when the model's last check is."""
    import pandas as pd

    index = pd.MultiIndex.from_tuples(turns(), names=["no huge page", "latest release (µs)"])
    table = pd.DataFrame(list(turns().values()), index, [*VERSIONS, "gain of v2"])
    gains = " and ".join(f"{turns()[how, 'measured'][2]} µs ({how})" for how in HOW)
    sentence = f"Measured, the reference may be dropped later with v2 than with base, by {gains}."
    claim = "How late may it be dropped? Ten attempts reach later than one"
    svg = Svg(640, 376, claim, f"{claim}. {sentence}")
    svg.headline(14, 28, 612, claim)
    across = Axis("reference dropped at (µs)", LATEST_US, range(0, 1401, 500))
    signs: list[Sign] = []
    for x, version in zip((66, 374), VERSIONS, strict=True):
        up = Axis(f"{version}: pins that fail", 1, [0, 0.5, 1], percent)
        plot = Plot(svg, x, 66, 244, 200, across=across, up=up)
        signs = [part for how in HOW for part in drawn(plot, version, how)]
    svg.legend(66, 314, 552, signs)
    note = "data/kernel-runs/, S3 and S10: one huge page, a timed reference; 95 % intervals"
    svg.note(14, 367, note, 612)
    return [Picture(svg.render(), sentence), table]


def drawn(plot: Plot, version: str, how: str) -> list[Sign]:
    """The measured points of one kind of pin, and the model's last look; and their signs."""
    shape, fill, style = HOW[how]
    for begin, share in sorted(bins(trials(how, version)).items()):
        at = begin + BIN_US / 2 + (14 if how == "fragmented" else -14)
        plot.line([(at, end) for end in share.interval], {"stroke_width": 0.8})
        plot.dot(at, share.part, shape, fill)
    plot.upright(looks(version, how)[-1] * UNIT_US, style)
    return [
        dot_sign(plot.svg, shape, fill, f"measured, {how}"),
        line_sign(plot.svg, style, f"model, {how}"),
    ]


def honest() -> str:
    """How to read the chart, and where clock and measurement differ."""
    gains = {
        how: f"{turns()[how, 'model'][2]} µs in the model and {turns()[how, 'measured'][2]}"
        for how in HOW
    }
    return (
        "**What the patch gains is the time that its attempts happen to take.** Most of the time "
        "passes before the first check, so ten attempts do not reach ten times as far.\n\n"
        "Points are measured: the share of pins that fail, by when the reference went. A line is "
        "the model's last check. A measured moment in the table is the one that best separates the "
        "pins that succeed from those that fail.\n\n"
        "**Trust the directions, not the microseconds.** In fragmented memory the patch gains "
        f"{gains['fragmented']} measured. Without compaction it gains {gains['injected']} "
        "measured: there the clock makes an attempt too long."
    )


def later() -> dict[str, Any]:
    """The latest release of v2 in fragmented memory, as measured, rounded."""
    return {"v2_us": round(turns()["fragmented", "measured"][1], -2)}


longer = Card(
    "longer",
    "How late may the reference be dropped in fragmented memory, so that the pin still succeeds?\n"
    f"For the measured base, which checks once, it is {BASE_US} µs. v2 checks ten times.\n\n"
    "The measured base has the companion of lesson 04. Without it, no pin of base that needs a "
    "split would succeed.",
    {"v2_us": (600, 900, 5600)},
    labels={"v2_us": "v2, measured, in µs"},
    outcome=later,
    hints=(
        "The last check decides. How many checks come after the first one?",
        "Nine more checks, and the clock says how long each takes; a unit is 0.59 µs.",
    ),
    why=honest,
    still=release_chart,
)
