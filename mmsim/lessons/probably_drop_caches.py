"""Lesson 05: drop_caches as the holder, what the patch cannot reach, and how long "at once" is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import groupby
from typing import Any, NamedTuple

from mmsim.engine.scenario import Move
from mmsim.engine.trace import Trace
from mmsim.evidence.measured import Share, Trial, best_split, trials
from mmsim.lessons.card import Card, widget
from mmsim.lessons.form import FormError, Verdict, failed, passed
from mmsim.scenarios import drop_caches_only, pin_versus, timed_hold
from mmsim.scenarios.clock import split_times
from mmsim.scenarios.knobs import number as whole
from mmsim.scenarios.situation import ALL_MOVED, MISSED, NOT_SPLIT
from mmsim.views.charts import Axis, Bar, Plot, Style, bars, dot_sign, line_sign, percent
from mmsim.views.show import Shown
from mmsim.views.state import state_picture
from mmsim.views.svg import BLUE, FILLS, ORANGE, PAPER, VERMILION, Picture, Sign, Svg
from mmsim.views.tables import Frame, frame, labels

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


PHASES = {
    "locked, and referenced": FILLS["actor 1"],
    "referenced, not locked any more": FILLS["not counted on"],
}


@cache
def walk_over(pages: int) -> Trace:
    """drop_caches alone, over a file of so many huge pages."""
    return drop_caches_only(folios=pages).run()


def windows_picture(folios: int) -> Picture:
    """A row for each page, the steps of the walk to the right."""
    trace = walk_over(folios)
    rows = {}
    for name, locked, unlocked, gone in windows(trace):
        parts = dict(zip(("", *PHASES), (locked, unlocked - locked, gone - unlocked), strict=True))
        said = f"steps {locked} to {unlocked}, then to {gone}"
        rows[name] = Bar(parts, len(trace), said)
    claim = "Locked for its own turn, referenced until the whole batch is through"
    return bars(claim, rows, PHASES, left=56, wide=380)


walk = Card(
    "One walk of `drop_caches` over one file.",
    still=lambda: windows_picture(4),
    play=widget("Console", windows_picture, [whole("folios", 4, 1, 15, "huge pages of the file")]),
)


# -- a pin comes while drop_caches stands still

WAITS, FAILS, PINS = "waits", "fails", "succeeds"


def pin_after(version: str, taken: int, until: int = 0) -> str:
    """What becomes of a pin that runs alone, as far as it can, after `taken` steps of drop_caches.

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
        return WAITS
    return PINS if situation.succeeded(state) else FAILS


def first_window() -> Window:
    """The windows of the walk over a single huge page."""
    return windows(walk_over(1))[0]


meeting = Card(
    "In base a pin comes, and `drop_caches` stands still. Guess: what does the pin do next?\n"
    "Both touch the same huge page, and no huge page is free elsewhere.",
    dict.fromkeys(("lock", "reference", "waited"), (WAITS, FAILS, PINS)),
    labels={
        "lock": "`drop_caches` has the lock",
        "reference": "later: only its reference is left",
        "waited": "the pin waited; `drop_caches` gives the lock back, and then stands still",
    },
    outcome=lambda: {
        "lock": pin_after("base", first_window().locked),
        "reference": pin_after("base", first_window().unlocked),
        "waited": pin_after("base", first_window().locked, first_window().unlocked),
    },
    why="A lock alone refuses nothing: the split of Linux 6.1 sleeps until the lock is free. But "
    "then it runs straight into the second window. The page has one reference too many, and the "
    "check refuses the split. So both windows end in a failure.\n\n"
    "In the run of the stepper `drop_caches` is held up right after `folio_unlock()`, and goes on "
    "only after the refusal.",
    still=lambda: state_picture(pin_versus().run().at("can_split_folio")),
    play=widget("stepper", pin_versus(), versions=VERSIONS),
)


@Shown
def steps_of_a_walk() -> Frame:
    """The steps of the walk over one page that change something about it."""
    trace = walk_over(1)
    rows = {}
    for step, event in enumerate(trace.events, start=1):
        ((before,), (page,)) = (trace.state(n).world.folios.values() for n in (step - 1, step))
        if page != before:
            lock, lru = "drop_caches" if page.locked_by else "nobody", "yes" if page.lru else "no"
            rows[f"{step}"] = (f"{event.op.kind.name}()", page.refcount, lock, lru)
    heads = ["the walk calls", "references", "who has the lock", "on an LRU list?"]
    return frame([*rows.values()], labels(rows, "step"), heads)


MEETINGS = {
    PINS: "nobody is in the way: it succeeds",
    FAILS: "it meets the reference in each pass, and fails",
    WAITS: "it waits for the page to be back on its LRU list; then it meets the reference, and "
    "fails",
}


def what_v2_meets(taken: int) -> str:
    """What a pin of v2 meets that runs alone after so many steps of the walk."""
    first = first_window()
    if first.locked <= taken < first.unlocked:
        return "it waits for the lock"
    return MEETINGS[pin_after("v2", taken)]


def judge_window(taken: int) -> Verdict:
    """drop_caches takes so many steps, and then the pin of v2 runs alone."""
    last, first = len(walk_over(1)), first_window()
    if taken not in range(last + 1):
        raise FormError(f"the walk has {last} steps: write a number from 0 to {last}")
    met = f"after step {taken} {what_v2_meets(taken)}"
    if first.unlocked <= taken < first.gone:
        return passed(met)
    if taken < first.locked:
        return failed("has drop_caches had the page's lock by then?", second=met)
    why = "what does drop_caches still have by then: the lock, the reference, or nothing?"
    return failed(why, second=met)


def window_table() -> Frame:
    """What a pin of v2 does after so many steps of the walk."""
    rows = {}
    for met, steps in groupby(range(len(walk_over(1)) + 1), what_v2_meets):
        first, *more = steps
        rows[f"{first} to {more[-1]}" if more else f"{first}"] = [met]
    return frame([*rows.values()], labels(rows, "after step"), ["v2's pin"])


window = Card(
    "After which step of `drop_caches` must a pin of v2 come, to be refused in the second window?\n"
    "From then on `drop_caches` stands still, and all ten passes of v2 are refused. If the page "
    "is off its LRU list, `drop_caches` first puts it back. Several steps are right. Name one.",
    int,
    form="the number of a step",
    judge=judge_window,
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
WAYS_TO_END = {
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
SHORTEST = {
    f"{v}_{part}": WAYS_TO_END[v].get(end, "") for v in VERSIONS for part, end in ENDS.items()
}


def ends_table() -> Frame:
    """Which ends can be reached."""
    words = {ENDS[end]: ending for end, ending in ENDINGS.items()}
    words[ALL_MOVED] = "everything moves, and the pin fails: the return value of lesson 04"
    rows = [["can happen" if end in WAYS_TO_END[v] else "never" for v in VERSIONS] for end in words]
    return frame(rows, labels(words.values(), "how it can end"), VERSIONS)


def way_to_end(part: str) -> str:
    """A shortest way to an end, if there is one."""
    version = part.partition("_")[0]
    if not SHORTEST[part]:
        return f"{version} never ends so, in any order of the steps"
    how = "a shortest order of steps (pin*9 means nine steps of the pin)"
    return f"{version} can end so; {how}: {SHORTEST[part]}"


left = Card(
    "A pin and one `drop_caches`: is there an order of their steps in which it ends like this?\n"
    "Here `base` has no companion (lesson 04).",
    dict.fromkeys(SHORTEST, bool),
    labels={f"{v}_{end}": f"{v}: {words}" for v in VERSIONS for end, words in ENDINGS.items()},
    outcome=lambda: {part: schedule != "" for part, schedule in SHORTEST.items()},
    against=lambda part, said: (
        "what does migrate_pages() of base return once a page was split?"
        if said
        else "can drop_caches stand still for long enough, at the wrong moment?",
        way_to_end(part),
    ),
    if_right="of these two failures the patch takes none away",
    hints=(
        "Base counts a split as a failure, whatever becomes of the pieces.",
        "drop_caches can stand still for as long as ten passes take.",
        "Each piece has one pass, in every version.",
    ),
    why="v2 can still fail in both ways: it makes the first one rarer, and does not touch the "
    "second. The same order of steps leads to a missed piece in both versions.\n\n"
    "In base this pin *never* succeeds. It needs a split, and then base returns a positive number "
    "(lesson 04). The companion mends that.",
    still=ends_table,
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


BIN_US = 100
LATEST_US = 1_500
"""Later releases are few, and every version has given up by then."""


def bins(found: Sequence[Trial]) -> dict[int, Share]:
    """The share of pins that failed before LATEST_US, by where a stretch of BIN_US begins."""
    groups: dict[int, list[bool]] = {}
    for trial in found:
        if trial.released < LATEST_US:
            groups.setdefault(int(trial.released // BIN_US) * BIN_US, []).append(trial.failed)
    return {at: Share(sum(failed), len(failed)) for at, failed in groups.items()}


@cache
def check_times(version: str, how: str) -> list[int]:
    """When each attempt at a split looks at the count, in units of the clock."""
    situation = timed_hold(version, hold=100_000, allocation=how, order=1)
    return [round(look) for look in split_times(situation)]


@cache
def releases() -> dict[tuple[str, str], tuple[int, int, int]]:
    """How late the reference may go, in microseconds, in base and v2, and what v2 gains."""
    found = {}
    for how in HOW:
        measured = [round(best_split(trials(how, version))) for version in VERSIONS]
        model = [round(check_times(version, how)[-1] * UNIT_US) for version in VERSIONS]
        for side, (base, v2) in (("measured", measured), ("model", model)):
            found[how, side] = (base, v2, v2 - base)
    return found


def release_chart() -> list[Any]:
    """Measured pins by release time, and when the model's last check is."""
    rows = labels((f"{how}, {side}" for how, side in releases()), "latest release (µs)")
    table = frame([*releases().values()], rows, [*VERSIONS, "gain of v2"])
    gains = " and ".join(f"{releases()[how, 'measured'][2]} µs ({how})" for how in HOW)
    sentence = f"Measured, the reference may be dropped later with v2 than with base, by {gains}."
    claim = "How late may it be dropped? Ten attempts reach later than one"
    svg = Svg(640, 376, claim, f"{claim}. {sentence}")
    svg.headline(14, 28, 612, claim)
    across = Axis("reference dropped at (µs)", LATEST_US, range(0, 1401, 500))
    signs: list[Sign] = []
    for x, version in zip((66, 374), VERSIONS, strict=True):
        up = Axis(f"{version}: pins that fail", 1, [0, 0.5, 1], percent)
        plot = Plot(svg, x, 66, 244, 200, across=across, up=up)
        signs = [sign for how in HOW for sign in draw_pins(plot, version, how)]
    svg.legend(66, 314, 552, signs)
    note = "data/kernel-runs/, S3 and S10: one huge page, a timed reference; 95 % intervals"
    svg.note(14, 367, note, 612)
    return [Picture(svg.render(), sentence), table]


def draw_pins(plot: Plot, version: str, how: str) -> list[Sign]:
    """The measured points of one kind of pin, and the model's last look; and their signs."""
    shape, fill, style = HOW[how]
    for begin, share in sorted(bins(trials(how, version)).items()):
        at = begin + BIN_US / 2 + (14 if how == "fragmented" else -14)
        plot.line([(at, end) for end in share.interval], {"stroke_width": 0.8})
        plot.dot(at, share.part, shape, fill)
    plot.upright(check_times(version, how)[-1] * UNIT_US, style)
    return [
        dot_sign(plot.svg, shape, fill, f"measured, {how}"),
        line_sign(plot.svg, style, f"model, {how}"),
    ]


def how_to_read() -> str:
    """How to read the chart, and where clock and measurement differ."""
    gains = {
        how: f"{releases()[how, 'model'][2]} µs in the model and {releases()[how, 'measured'][2]}"
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


longer = Card(
    "How late (in µs) may the reference be dropped in fragmented memory, so that a pin of v2 still "
    "succeeds?\n"
    f"Both numbers are measured. For base, which checks once, it is {BASE_US} µs. v2 checks ten "
    "times.\n\n"
    "The measured base has the companion of lesson 04. Without it, no pin of base that needs a "
    "split would succeed.",
    (600, 900, 5600),
    outcome=lambda: round(releases()["fragmented", "measured"][1], -2),
    hints=(
        "The last check decides. How many checks come after the first one?",
        "Nine more checks, and the clock says how long each takes; a unit is 0.59 µs.",
    ),
    why=how_to_read,
    still=release_chart,
)
