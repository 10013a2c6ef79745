"""Lesson 09: a wrong counter, another holder, a bug that helped, and a policy of one's own.

Interface: the cards guess, recall, once, moved, batch, flag, accident, loop, policy, defence; the
picture later; and the names that the text fills in."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from mmsim import errno
from mmsim.constants import MR_LONGTERM_PIN, PAGEVEC_SIZE, REASONS
from mmsim.datafiles import load_csv
from mmsim.engine.scenario import State
from mmsim.engine.schedule import render
from mmsim.engine.trace import Trace
from mmsim.evidence.series import LATER
from mmsim.evidence.tracer import migrate_returns
from mmsim.lessons.card import Card, checked, keyed
from mmsim.lessons.form import Choices, Verdict, failed, passed
from mmsim.mm.policy import HUGE_PAGE, PIECE, SINGLE_PAGE, WAIT_LOOKS, Attempt
from mmsim.mm.versions import LATEST, Version
from mmsim.mm.world import EITHER
from mmsim.scenarios import SMALL, Situation, lru_batch, make, vfio_map
from mmsim.scenarios.policy import PolicyError, limited, own_policy
from mmsim.views.show import Shown
from mmsim.views.tables import frame, labels
from mmsim.views.words import plural

if TYPE_CHECKING:
    import pandas as pd

PIN, PINNED, LINE_MAX = "pin", "pinned", 90
UNTOUCHED = Verdict("not attempted", "the function returns nothing yet")


def ended(trace: Trace) -> str:
    """What the pin of a run came to."""
    return PINNED if trace.results[PIN] > 0 else errno.name(trace.results[PIN])


def drains(trace: Trace) -> int:
    """How often all batches were drained."""
    return sum(event.op.kind.name == "lru_add_drain_all" for event in trace.events)


# -- one page, eleven failures

ASKED = {"v2_one": ("v2", 1), "v2_three": ("v2", 3), "v3fix_three": ("v3fix", 3)}
PASSES = (1, 3, 10)


@cache
def held(version: str, passes: int) -> tuple[int, str]:
    """One huge page, held for ever: thp_migration_fail, and what migrate_pages() returns."""
    run = vfio_map(version, passes=passes, order=1).run()
    return run.last.world.vmstat["thp_migration_fail"], errno.name(migrate_returns(run)[-1])


def by_passes() -> pd.DataFrame:
    """The same for several numbers of passes."""
    versions = ("v2", "v3fix")
    cells = [[x for v in versions for x in held(v, passes)] for passes in PASSES]
    columns = [f"{v}: {x}" for v in versions for x in ("thp_migration_fail", "returns")]
    return frame(cells, labels(map(str, PASSES), "passes, all refused"), columns)


guess = Card(
    "guess",
    "One huge page, and somebody who never lets go of it. What does `thp_migration_fail` say at "
    "the end?",
    dict.fromkeys(ASKED, (0, 1, 2, 3, 4, 6)),
    labels={
        "v2_one": "v2, with one pass only",
        "v2_three": "v2, with three passes",
        "v3fix_three": "after the repair (`v3fix`), with three passes",
    },
    outcome=lambda: {name: held(*case)[0] for name, case in ASKED.items()},
    still=by_passes,
    why="v2 counts each refusal, and once more the page that still waits after the last pass. "
    "After the repair it is one page, and one failure.",
)

recall = Card(
    "recall",
    "Three questions about earlier lessons, from memory.",
    {
        "negative": Choices(a="an error code", b="a number of failures", c="pages that moved"),
        "others": Choices(a="callers who pin nothing", b="long-term pins", c="nobody"),
        "window": Choices(
            a="one who holds for 100 ticks", b="one who holds for some ticks", c="any holder"
        ),
    },
    labels={
        "negative": "`migrate_pages()` returns 11. What is it?",
        "others": "Who got another error code from version 1?",
        "window": "Ten passes, one tick apart: which holder do they mostly outlast?",
    },
    judge=keyed(
        {
            "negative": ("b", "a positive number counts what failed, an error code is negative"),
            "others": ("a", "v1 changed what callers see who had asked for no retry"),
            "window": ("b", "the window is (passes - 1) times the gap: nine ticks"),
        }
    ),
    solution={"negative": "b", "others": "a", "window": "b"},
    hints=("They are in lessons 04, 08 and 07.",),
)


# -- claims about what is counted


class Counts(NamedTuple):
    """What is known when a pin has returned.  `pages_in_cma`: small pages that are left there."""

    huge_pages: int
    thp_migration_success: int
    thp_migration_fail: int
    thp_split_page: int
    thp_split_page_failed: int
    pages_in_cma: int
    pinned: bool

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self._asdict().items())


Claim = Callable[[Counts], object]
# One huge page in three passes, two in two: a holder of the first, who leaves at any time, and a
# free huge page that is there or not each time it is asked for.
SEARCHED: tuple[dict[str, object], ...] = ({"thps": 1, "passes": 3}, {"thps": 2, "passes": 2})


def counted(situation: Situation, state: State) -> Counts:
    """What was counted when a pin has returned."""
    world, vmstat = state.world, state.world.vmstat
    left = (f.nr_pages for pfn, f in world.folios.items() if f.name and world.in_cma(pfn))
    return Counts(
        int(situation.knobs["thps"]),
        vmstat["thp_migration_success"],
        vmstat["thp_migration_fail"],
        vmstat["thp_split_page"],
        vmstat["thp_split_page_failed"],
        sum(left),
        situation.succeeded(state),
    )


@cache
def ends(version: str) -> Mapping[Counts, str]:
    """Everything that a pin can count in any order of steps, each with a shortest schedule."""
    found = {}
    for knobs in SEARCHED:
        given = {**knobs, "order": 1, "targets": EITHER, "released": 1}
        situation = make("vfio_map", version, given)
        search = situation.explore()
        assert search.complete
        for end in search.outcomes(lambda state, of=situation: str(counted(of, state))):  # type: ignore[misc]
            run = situation.replay(render(end.shortest or ()))
            found[counted(situation, run.last)] = render(end.shortest or ())
    return found


def breaks(claim: Claim, version: str) -> tuple[Counts, str] | None:
    """A shortest run of a version that breaks a claim; None if all keep it."""
    return next((end for end in ends(version).items() if not limited("claim", claim, end[0])), None)


def counted_once(c: Counts) -> bool:
    """A right answer: no huge page is counted as moved and as failed."""
    return c.thp_migration_success + c.thp_migration_fail <= c.huge_pages


def moved_is_pinned(c: Counts) -> bool:
    """A right answer: if nothing is left in CMA, the pin succeeds."""
    return c.pinned or c.pages_in_cma > 0


def claimed(claim: Any, keeps: str, broken_by: str, known: Claim) -> Verdict:
    """Does a claim tell two versions apart?  `known`: also tell the shortest run that breaks it."""
    try:
        said = {c: limited("claim", claim, c) for v in (keeps, broken_by) for c in ends(v)}
        if {*said.values()} == {None}:
            return UNTOUCHED
        for c, answer in said.items():
            if not isinstance(answer, bool):
                return failed(f"your claim returns {answer!r:.40}, not True or False, for {c}")
        if kept := breaks(claim, keeps):
            return failed(f"not even {keeps} keeps it: {kept[1]} ends with {kept[0]}")
        broken = breaks(claim, broken_by)
    except PolicyError as error:
        return failed(str(error))
    if broken is None:
        return failed(f"{broken_by} keeps it too, in all {len(ends(broken_by))} ways it can end")
    told = [f"{broken_by} breaks it with {broken[1]}", f"and these counts: {broken[0]}"]
    shortest = breaks(known, broken_by)
    if shortest and shortest != broken:
        told.append(f"the shortest run with one page as moved and as failed: {shortest[1]}")
        told.append(f"and these counts: {shortest[0]}")
    lines = "\n".join(textwrap.fill(line, LINE_MAX, subsequent_indent="  ") for line in told)
    return passed(f"{keeps} keeps your claim, {broken_by} does not", lines)


once = Card(
    "once",
    "Write a claim that `v3fix` keeps in every run, and `v2` breaks.\n"
    "A huge page that is split counts as one that was not moved whole.",
    form="your_function",
    judge=lambda claim: claimed(claim, LATEST.name, "v2", counted_once),
    solution=counted_once,
    hints=(
        "How often may one huge page be counted as moved or as failed?",
        "Add up thp_migration_success and thp_migration_fail. What can the sum never be more than?",
        "return c.thp_migration_success + c.thp_migration_fail <= c.huge_pages",
    ),
    why="No huge page moves more than once, nor fails more than once, nor both. So moved and "
    "failed together are at most as many as there are.\n\n"
    "`v2` breaks this long before the tenth refusal. In the shortest such run the page is refused "
    "*once*. Then a huge page is free, and it moves whole: one page, counted as moved **and** as "
    "failed. So the exit after ten passes is not what is wrong. A refusal that is tried again "
    "should not be counted at all.\n\n"
    "(How to read a schedule: `pin*7` is seven steps of the pin. `pin:fail` is a step that finds "
    "nothing, `pin:ok` one that works. `holder` is a step of the holder.)",
)
moved = Card(
    "moved",
    "Write the claim that would have found the hole: `v3` keeps it, `v2` breaks it.",
    form="your_function",
    judge=lambda claim: claimed(claim, "v3", "v2", claim),
    solution=moved_is_pinned,
    hints=(
        "When is a failed pin an injustice? Look at what is left in CMA.",
        "If no page is left in CMA, the pin has to succeed.",
        "return c.pinned or c.pages_in_cma > 0",
    ),
    why="A claim does not know which bug it will find. This one needs no idea of return values, "
    "and it finds the very run: refused once, then moved whole.",
)


# -- another holder

REMEDIES = {
    "v2": "the patch of 2022: a huge page whose split was refused is tried in every pass",
    "subpage_retry": "pieces of a split huge page are tried in every pass, too",
    "wait": f"wait, for {WAIT_LOOKS} looks at most, until the reference is gone",
    "drain": "after the first busy try, drain the batches of all processors",
}


@cache
def batch_run(version: str, isolation: str = "meant") -> Trace:
    """The pin of two single pages, one of them in a batch that keeps its flag."""
    return lru_batch(version, isolation=isolation).run()


def tries(run: Trace) -> int:
    """How often a run tries to move the page in the batch, its first."""
    pfn = min(run.state(0).world.folios)
    return sum(e.op.kind.name == "folio_expected_refs" and e.op.args[0] == pfn for e in run.events)


def remedies_tried() -> pd.DataFrame:
    """What each remedy comes to."""
    runs = {name: batch_run(name) for name in REMEDIES}
    rows = [
        (tries(r), drains(r), r.last.world.vmstat["pgmigrate_fail"], ended(r))
        for r in runs.values()
    ]
    columns = ["tries for the page in the batch", "drains", "pgmigrate_fail", "the pin"]
    return frame(rows, labels(runs, "remedy"), columns)


def helps() -> dict[str, bool]:
    """Which remedies let the pin succeed."""
    return {name: ended(batch_run(name)) == PINNED for name in REMEDIES}


batch = Card(
    "batch",
    "Which of these remedies let this pin succeed?",
    dict.fromkeys(REMEDIES, bool),
    labels={name: f"`{name}`: {words}" for name, words in REMEDIES.items()},
    judge=checked(
        helps,
        lambda *_: "what has to happen before the batch lets go, and does it here?",
        lambda name: (
            f"{tries(batch_run(name))} tries for the page in the batch, and "
            f"{ended(batch_run(name))}"
        ),
        "nobody lets go of it by himself; somebody has to drain the batch",
    ),
    outcome=helps,
    hints=(
        "Whose reference is it, and what would make it go?",
        "Neither trying again nor waiting drains a batch of another processor.",
    ),
    why=f"A batch is emptied when it is full: at {PAGEVEC_SIZE} pages in 6.1 and in the model, at "
    "31 in the kernel of 2024. If fewer come, those few stay.\n\n"
    "The counters tell this failure from the one of 2022: of those that count failures no `thp_` "
    "counter moves, only `pgmigrate_fail`, by 1.",
    still=remedies_tried,
)


def flag_judged(letter: str) -> Verdict:
    """A wrong reason meets a run that contradicts it."""
    if letter == "a":
        result = ended(batch_run("drain"))
        return failed(f"with `drain` the same page comes to {result!r}: it drains every batch")
    if letter == "b":
        world = lru_batch().initial().world
        holders = ", ".join(who for who, _ in world.folios[min(world.folios)].held)
        return failed(f"before the first step the {holders} already has its reference")
    return passed("PG_lru is all that this pin looks at before it drains, if it isolates as meant")


flag = Card(
    "flag",
    "With the page in the batch `lru_add` instead, every version succeeds. Why not with "
    "`deactivate_file`?\n"
    "A page in `lru_add` is about to come to its first list, so it has no `PG_lru` yet. Base "
    "succeeds there, too: its pin drains all batches by itself.",
    Choices(
        a="A drain does not empty that batch.",
        b="The page comes into it after the drain.",
        c="The pin drains only if it meets a page without PG_lru.",
    ),
    judge=flag_judged,
    solution="c",
    hints=(
        "Compare the two pages: what does the pin find on each?",
        "collect_longterm_unpinnable_pages() drains if a page is not on an LRU list.",
    ),
    why="The change of 2024 (33dfe9204f29) clears the "
    "flag before a page goes into a batch. So the drain that was there already gets to see it. A "
    "year later that was taken back. Since then the pin compares a page's references with those "
    "that it can explain, and drains if there are more "
    "(98c6d259319e). Neither touches the retry loop. "
    "A patch that cures one of the two failures says nothing about the other.",
)


# -- a bug that helped


def accident_told() -> str:
    """What the inverted test does, and how the kernels of the time differ from the rows."""
    runs = [vfio_map("base", isolation=test).run() for test in ("meant", "inverted")]
    pins = [f"{run.last.world.vmstat['nr_foll_pin_acquired']:,}" for run in runs]
    return (
        "In the first round the page is isolated, and left out. The list is empty, so the pin lets "
        "go and pins again. In the second round the page has no `PG_lru`, because isolation has "
        "taken the flag away. So the pin drains all batches. Now isolation fails, the page comes "
        "on the list, and it is migrated.\n\n"
        "The drain happens by accident, but it rescues the pin. That the accident hid such batches "
        "in 2022 is our inference. The reports that we know are from 2024 on, after the repair.\n\n"
        "In the model's rows the test in `collect_longterm_unpinnable_pages()` is as it was meant. "
        "So they are not quite the kernels of that time. For one huge page whose split is refused, "
        f"Linux 6.1-rc1 acquires {pins[1]} pins, releases {pins[1]}, and drains {drains(runs[1])} "
        f"time. The model's `base` has {pins[0]}, {pins[0]} and {drains(runs[0])}. The other "
        "counters are the same. The knob `isolation` has the test as it was."
    )


def both_tests() -> pd.DataFrame:
    """The same pin with the test as meant and inverted."""
    runs = {test: batch_run("v2", test) for test in ("meant", "inverted")}
    cells = []
    for run in runs.values():
        looks = [e.op.args for e in run.events if e.op.kind.name == "is_longterm_pinnable_page"]
        cells.append((looks.count(looks[0]), drains(run), ended(run)))
    columns = ["rounds", "drains", "the pin"]
    return frame(cells, labels(runs, "isolation test, v2"), columns)


accident = Card(
    "accident",
    "The page in `deactivate_file` again, version v2, but with the test the wrong way round. What "
    "becomes of the pin?\nDrains: how often the pin drains the batches of all processors.",
    {"result": (PINNED, "-ENOMEM"), "drains": (0, 1, 2)},
    outcome=lambda: {
        "result": ended(batch_run("v2", "inverted")),
        "drains": drains(batch_run("v2", "inverted")),
    },
    why=accident_told,
    still=both_tests,
)


# -- what became of the loop


def measured_612() -> dict[str, int]:
    """One huge page held for ever on an unmodified 6.12.117; a test looks at all such pins."""
    rows = load_csv("kernel-runs/k612/k612_s3_held_summary.csv")
    row = next(row for row in rows if row["scenario"] == "S3_held")
    names = {"held_tries": "thp_split_page_failed", "counted": "thp_migration_fail"}
    return {part: int(float(row[f"mean_d_{counter}"])) for part, counter in names.items()}


LOOPS = (
    ("v3, in the loop of 6.1", "10", "1", "11"),
    ("v3fix, in the loop of 6.1", "10", "1", "1"),
    ("6.1.116, batches of at most 512 pages", "10", "1", "1"),
    ("6.12, batches of at most 512 pages", "3 asynchronous, then 7 page by page", "1", "1"),
)


def loops() -> pd.DataFrame:
    """The loops beside each other."""
    columns = ["passes for a huge page", "passes for its pieces", "failures counted"]
    return frame([row[1:] for row in LOOPS], labels([row[0] for row in LOOPS], "loop"), columns)


loop = Card(
    "loop",
    "An unmodified Linux 6.12: again one huge page, none free, and a holder that stays. What is "
    "counted?\n"
    "And how many passes does a piece have, if a huge page could be split?",
    {"held_tries": (1, 3, 7, 10), "counted": (1, 7, 10, 11), "piece_passes": (1, 3, 7, 10)},
    labels={
        "held_tries": "splits that are refused",
        "counted": "`thp_migration_fail`",
        "piece_passes": "passes for a piece",
    },
    # The counters are measured.  The passes of a piece stand in migrate_pages() of 6.12.
    outcome=lambda: {**measured_612(), "piece_passes": 1},
    why="From 6.3 on `migrate_pages()` takes at most 512 pages at a time. A caller that may wait "
    "gets 3 asynchronous passes. What is left then gets up to 7 passes, page by page. An "
    "asynchronous pass does not wait for a lock or for writeback. A piece gets one such pass, and "
    "no other.\n\n"
    "6.1.116 (November 2024) has the patch, the repair and the batches, but ten passes of one "
    "kind.\n\n"
    "Later kernels split some huge pages *before* they try to move them. But only anonymous pages "
    "are on that list, not those of a memfd.\n\n"
    "The counters are from `data/kernel-runs/k612/k612_s3_held_summary.csv`, 6.12.117, all pins "
    "alike.",
    still=loops,
)
later = Shown(
    lambda: frame(
        [row[1:] for row in LATER],
        labels([row.release for row in LATER], "release"),
        ["commit", "what", "what it means here"],
    )
)


# -- a policy of one's own


class Case(NamedTuple):
    """A situation to try a policy in."""

    what: str
    scenario: str
    knobs: Mapping[str, object]


NEVER, STEPS_MAX, OFTENER = "never", 200, 8
CASES = {
    "visit": Case(
        "somebody holds the huge page and lets go at some time",
        "vfio_map",
        {"order": 1, "passes": 3, "released": 1},
    ),
    "drop_caches": Case("drop_caches walks over the memory once", "pin_versus", {**SMALL}),
    "batch": Case("a single page lies in a batch that nobody drains", "lru_batch", {}),
    NEVER: Case("somebody holds the huge page and never lets go", "vfio_map", {"order": 1}),
}


class Score(NamedTuple):
    """How a policy fared: odds of success over every order of steps; steps and drains of a run."""

    odds: float
    steps: int
    drains: int

    def told(self, case: str) -> str:
        """In the case that can't be won its cost counts, in the others the odds."""
        if case != NEVER:
            return f"{100 * self.odds:.1f} %"
        return f"{self.steps} steps" + (f", {plural(self.drains, 'drain')}" if self.drains else "")


KNOWN = {
    "v3fix": ((0.952388573873, 66, 0), (0.303724480742, 81, 0), (0.0, 139, 0), (0.0, 119, 0)),
    "subpage_retry": (
        (0.973161662729, 66, 0),
        (0.322159282095, 81, 0),
        (0.0, 139, 0),
        (0.0, 119, 0),
    ),
    "drain": ((0.971392656368, 67, 1), (0.37586680544, 82, 1), (1.0, 59, 1), (0.0, 120, 1)),
    "wait": ((0.997454898205, 76, 0), (0.401418317607, 91, 0), (0.0, 239, 0), (0.0, 219, 0)),
}
"""How the known rows fare in each case, as Scores; a test searches again."""


def known(row: str) -> dict[str, Score]:
    """Case -> how a known row fares in it."""
    return {case: Score(*found) for case, found in zip(CASES, KNOWN[row], strict=True)}


@lru_cache(maxsize=64)
def score(version: Version, case: str) -> Score:
    """Try a row in a case; raises PolicyError, in one sentence, if a policy goes wrong."""
    situation = make(CASES[case].scenario, version, CASES[case].knobs)
    run = situation.run()
    steps = sum(event.actor == PIN for event in run.events)
    if case == NEVER:
        return Score(float(situation.succeeded(run.last)), steps, drains(run))
    found = situation.explore()
    weights = {PIN: OFTENER} if len(situation.actors) > 1 else {}
    won = found.outcomes(lambda s: "won" if situation.succeeded(s) else "lost", weights)
    odds = float(sum(end.odds for end in won if end.name == "won"))
    return Score(round(odds, 12), steps, drains(run))


@lru_cache(maxsize=8)
def own(decide: Callable[[Attempt], str]) -> Version:
    """The row of a function, the same one each time."""
    return own_policy(decide)


def others_notice(version: Version) -> list[str]:
    """For which reasons other than a long-term pin a run ends otherwise than without a policy."""
    found = []
    for reason in REASONS[:MR_LONGTERM_PIN] + REASONS[MR_LONGTERM_PIN + 1 :]:
        knobs = {"reason": reason, "order": 1}
        usual, mine = (make("vfio_map", row, knobs).run() for row in (LATEST, version))
        if usual.last.world.key() != mine.last.world.key() or len(usual) != len(mine):
            found.append(reason)
    return found


def policy_judged(decide: Any) -> Verdict:
    """Better than the last version where something can be won, and no burden elsewhere."""
    first = [Attempt(what, "-EAGAIN", "longterm_pin", 1, "try again") for what in WHATS]
    try:
        row = own(decide)
        if all(limited("policy", decide, attempt) is None for attempt in first):
            return UNTOUCHED
        if notice := others_notice(row):
            return failed(f"callers who pin nothing notice it: {', '.join(notice)}")
        for name, case in CASES.items():
            mine, usual = score(row, name), known(LATEST.name)[name]
            if name != NEVER and mine.odds <= usual.odds:
                told = "worse" if mine.odds < usual.odds else "not better yet"
                told = f"yours {mine.told(name)}, {LATEST.name} {usual.told(name)}: {told}"
                return failed(f"{name} ({case.what}): {told}")
        if mine.steps > STEPS_MAX:
            return failed(f"{name}: {mine.steps} steps until it gives up; at most {STEPS_MAX}")
        if mine.drains:
            return failed(f"{name}: {mine.told(name)}; can what is held here lie in a batch?")
    except PolicyError as error:
        return failed(str(error))
    return passed("better in every case that can be won; it costs little, and nobody else notices")


WHATS = (HUGE_PAGE, PIECE, SINGLE_PAGE)


def drain_or_wait(attempt: Attempt) -> str:
    """A right answer."""
    if not attempt.pin_is_busy:
        return attempt.usual
    if attempt.what != HUGE_PAGE and attempt.tries == 1:
        return "drain"
    return "wait" if attempt.tries < 4 else attempt.usual


def scores() -> pd.DataFrame:
    """The known rows and the learner's own, case by case."""
    found = {row: known(row) for row in KNOWN}
    found["yours"] = {name: score(own(policy.stored), name) for name in CASES}
    rows = [[each[case].told(case) for each in found.values()] for case in CASES]
    return frame(rows, labels(CASES, "case"), [*found])


policy = Card(
    "policy",
    "Write a policy that does better than `v3fix` in the first three cases, and costs little in "
    "the fourth.\n"
    f"*Little* means: it gives up within {STEPS_MAX} steps of the pin, and drains nothing in vain. "
    "And callers who pin nothing must not notice it.\n\n"
    + "\n\n".join(f"`{name}`: {case.what}." for name, case in CASES.items()),
    form="your_function",
    judge=policy_judged,
    solution=drain_or_wait,
    hints=(
        "What helps against the batch? For which kind of page, and after which try?",
        "First ask attempt.pin_is_busy, so that nobody else notices.",
        "Drain after the first try of what is no huge page; else wait for a few tries, then usual.",
    ),
    why="How to read the table: the first three rows are the chance of success over every order of "
    f"steps, if the pin moves {OFTENER} times as often as the others. Compare columns, not with a "
    "real kernel. The huge page has two pieces here; `visit` has three passes, `drop_caches` two, "
    "the others ten.\n\n"
    "A huge page never stays in a batch: whoever puts one in empties the batch at once. So a "
    "drain for a huge page is work for others, and helps nobody.",
    still=scores,
)
defence = Card(
    "defence",
    "Defend your policy, a sentence each: against whom it helps, what it costs, and what would "
    "show that it is wrong.",
    {"against": str, "cost": str, "wrong_if": str},
    labels={
        "against": "It helps against …, not against …",
        "cost": "It costs …, at most …",
        "wrong_if": "I would drop it if …",
    },
    solution={
        "against": "It helps against pages in batches and against visitors who leave soon, not "
        "against a permanent reference.",
        "cost": "It costs work on every processor with pages in a batch, once, and at most thirty "
        "looks for a busy page; only long-term pins cause it.",
        "wrong_if": "I would drop it if pins that fail after it still had a page in a batch, or if "
        "the drains showed up in the latency of others.",
    },
    why="Give yourself, or your neighbour, two points for each. `against`: one for a holder that "
    'is named ("against failures" is none), two if it also names one against whom it does not '
    'help. `cost`: one for a cost, two if its bound is said. `wrong_if`: one for "test it", two '
    "for a number or a run that could be observed.",
)
