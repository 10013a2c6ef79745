"""Lesson 09: a wrong counter, the loop of 6.12, another holder, and a policy of one's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from itertools import takewhile
from typing import Any, NamedTuple

from mmsim.amounts import plural
from mmsim.constants import MIGRATE_PASSES, REASONS
from mmsim.datafiles import load_csv
from mmsim.engine.trace import Trace
from mmsim.errors import shown
from mmsim.grid import sweep
from mmsim.lessons.card import Card, widget
from mmsim.lessons.form import FUNCTION, UNTOUCHED, Verdict, failed, passed
from mmsim.mm.policies import (
    DRAIN,
    GIVE_UP,
    HUGE_PAGE,
    PIECE,
    SINGLE_PAGE,
    TRY_AGAIN,
    WAIT_LOOKS,
    Attempt,
)
from mmsim.mm.seams import ISOLATIONS, Version
from mmsim.mm.versions import V3FIX, own_policy
from mmsim.mm.world import EITHER
from mmsim.sandbox import limited
from mmsim.scenarios import SMALL, lru_batch, make, vfio_map
from mmsim.scenarios.observed import pin_result
from mmsim.views.flow import flow_picture
from mmsim.views.state import state_picture
from mmsim.views.svg import FILLS, INK, Picture, Svg
from mmsim.views.tables import Frame, frame, labels

PIN, PINNED, TODAY = "pin", "pinned", "6.12"
REFUSED, FAILED = "thp_split_page_failed", "thp_migration_fail"


def drains(trace: Trace) -> int:
    """How often the batches of all processors were drained."""
    return sum(event.op.kind.name == "lru_add_drain_all" for event in trace.events)


# -- one page, eleven failures

HELD = vfio_map("v2", order=1)
"""One huge page in CMA, none free, and a holder that never lets go."""


def count_of(version: str, counter: str = FAILED, **knobs: Any) -> int:
    """What a counter says of that page at the end."""
    return int(HELD.with_(version, **knobs).run().last.world.vmstat[counter])


eleven = Card(
    "Version 2, one huge page, none free, and a holder that never lets go\n"
    "With the slider, give it fewer passes, and read `thp_migration_fail` under the picture.",
    still=lambda: [
        flow_picture(HELD.run()),
        f"{REFUSED} {count_of('v2', REFUSED)}, {FAILED} {count_of('v2')}",
    ],
    play=widget("console", HELD, knobs=("passes",), versions=("v2",)),
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


@cache
def ends_of(version: str) -> Mapping[Counts, str]:
    """Everything that a pin can count in any order of steps, each with a shortest schedule.

    It is stored; a test searches again."""
    found = {}
    for row in load_csv("lessons/claims.csv", version=version):
        numbers = [int(row[name]) for name in Counts._fields[:-1]]
        found[Counts._make([*numbers, row["pinned"] == "True"])] = row["schedule"]
    return found


def run_that_breaks(claim: Callable[[Counts], object], version: str) -> tuple[Counts, str] | None:
    """A shortest run of a version that breaks a claim; None if all keep it."""
    return next((end for end in ends_of(version).items() if not claim(end[0])), None)


def counted_once(c: Counts) -> bool:
    """A right answer: no huge page is counted as moved and as failed."""
    return c.thp_migration_success + c.thp_migration_fail <= c.huge_pages


def judge_claim(claim: Any) -> Verdict:
    """Does a claim tell v2 from v3fix?"""
    said = {c: limited("claim", claim, c) for v in ("v3fix", "v2") for c in ends_of(v)}
    if all(answer is None for answer in said.values()):
        return UNTOUCHED
    for end, answer in said.items():
        if not isinstance(answer, bool):
            what = shown(answer, 40, quoted=True)
            return failed(f"your claim returns {what}, not True or False, for {end}")
    if kept := run_that_breaks(said.get, "v3fix"):
        return failed(f"not even v3fix keeps it: {kept[1]} ends with {kept[0]}")
    broken = run_that_breaks(said.get, "v2")
    if broken is None:
        return failed(f"v2 keeps it too, in all {len(ends_of('v2'))} ways it can end")
    counts = f"v2 breaks it with {broken[1]}, and these counts: {broken[0]}"
    return passed("v3fix keeps your claim, v2 does not", counts)


def counted_twice() -> Picture:
    """The end of the shortest run of v2 in which one page is counted twice."""
    broken = run_that_breaks(counted_once, "v2")
    assert broken is not None
    run = vfio_map("v2", order=1, passes=3, targets=EITHER, released=1).replay(broken[1])
    return flow_picture(run)


once = Card(
    "Write a claim about `thp_migration_fail` that `v3fix` keeps in every run, and `v2` breaks.\n"
    "A huge page that is split counts in `thp_migration_fail`: it was not moved whole.",
    form=FUNCTION,
    judge=judge_claim,
    solution=counted_once,
    hints=(
        "How often may one huge page be counted as moved or as failed?",
        "Add up thp_migration_success and thp_migration_fail. What can the sum never be more than?",
        "return c.thp_migration_success + c.thp_migration_fail <= c.huge_pages",
    ),
    why="No huge page moves more than once, nor fails more than once, nor both. So moved and "
    "failed together are at most as many as there are. They are fewer if a page was cut off "
    "from its file before the pin began: then nobody migrates it.\n\n"
    "`v2` breaks this long before the tenth refusal. The run in the picture is the hole of lesson "
    "08: the page is refused *once*, then a huge page is free, and the page moves whole. It counts "
    "as moved **and** as failed. A refusal that is tried again should not be counted at all.",
    still=counted_twice,
)


# -- the loop of 6.12


@cache
def measured_612() -> dict[str, int]:
    """One huge page held for ever on an unmodified 6.12.117; a test looks at all such pins."""
    row = load_csv("kernel-runs/k612/k612_s3_held_summary.csv", scenario="S3_held")[0]
    return {name: int(float(row[f"mean_d_{name}"])) for name in (REFUSED, FAILED)}


def both_loops() -> Frame:
    """The same page in three loops, and in the kernel that was measured."""
    models = ("v3", "v3fix", TODAY)
    cells = [[count_of(version, name) for name in measured_612()] for version in models]
    rows = [*(f"{name}, model" for name in models), "Linux 6.12.117, 27 pins measured"]
    return frame([*cells, [*measured_612().values()]], labels(rows, "kernel"), [*measured_612()])


loop = Card(
    "The page of the first picture on Linux 6.12: none free, and the holder stays. What is "
    "counted?",
    {REFUSED: (1, 3, 7, 10, 70), FAILED: (1, 2, 7, 10, 11)},
    outcome=measured_612,
    why="In each try the split is refused, and `thp_split_page_failed` counts the refusals: three "
    "and seven. `thp_migration_fail` counts pages that have failed, and this page fails once: at "
    "the end.",
    still=both_loops,
)

SITES = {"move.unmap": "unmapped", "move.freeze": "compared", "move.check": "compared"}


@cache
def refused_moves(version: str) -> Trace:
    """A huge page is free, and a holder that never lets go keeps the page from moving."""
    return vfio_map(version, order=1, targets="available").run()


def visits(version: str) -> dict[str, int]:
    """How often the page of `refused_moves` is unmapped, and its count compared."""
    return dict(Counter(SITES[e.site] for e in refused_moves(version).events if e.site in SITES))


def loops_picture() -> Picture:
    """Both loops, a field for each step: is the page mapped, and is its count compared?"""
    v3, today = visits("v3"), visits(TODAY)
    claim = (
        f"{v3['compared']} tries each: v3 unmaps the page {v3['unmapped']} times, "
        f"6.12 {today['unmapped']} times"
    )
    words = f"{claim}. A field is a step of the pin."
    mapped, nowhere = FILLS["counted on"], FILLS["UNMOVABLE"]
    svg = Svg(640, 232, claim, words)
    svg.headline(18, 28, 604, claim)
    for version, y in (("v3", 72.0), (TODAY, 136.0)):
        run, x = refused_moves(version), 54.0
        svg.text(42, y + 22, version, 34, bold=True, anchor="end")
        for n, event in enumerate(run.events):
            if event.actor == PIN:
                page = next(iter(run.state(n + 1).world.folios.values()))
                svg.filled(x, y, 4, 34, mapped if page.mapcount else nowhere)
                if SITES.get(event.site) == "compared":
                    svg.rect(x + 0.5, y - 4, 3, 42, fill=INK)
                x += 4
    bar = (lambda x, y: svg.rect(x + 4, y - 2, 4, 16, fill=INK)), 10.0, "its count is compared"
    svg.legend(54, 202, 560, [svg.swatch(nowhere, "the page is mapped nowhere"), bar])
    return Picture(svg.render(), words)


between = Card(
    "6.12 again, and now a huge page is free. The holder stays. How often is the page unmapped, "
    "and how often is its count compared?",
    dict.fromkeys(("unmapped", "compared"), (1, 2, 3, 7, 10)),
    outcome=lambda: visits(TODAY),
    why="6.12 unmaps once for its three asynchronous tries and once for the seven others. It "
    "compares in each try. A trace of an unmodified 6.12.117 has the same ten refused moves.\n\n"
    "So as many tries take less time. A holder that needs the page's lock, or a mapping of it, "
    "can get on only between the asynchronous tries and the others. That is read from the source, "
    "and was not measured.",
    still=loops_picture,
)


# -- another holder

REMEDIES = {
    "v2": "try the page in every pass, as v2 does",
    "wait": f"wait until the reference is gone, for {WAIT_LOOKS} looks at most",
    "drain": "after the first busy try, drain the LRU batches of all processors",
    "today": "as 6.12: before it moves a page of 4 KiB, the pin compares its references with those "
    "that it can explain, and drains if there are more",
}


@cache
def batch_run(remedy: str, isolation: str = "meant") -> Trace:
    """The pin of two single pages, one of them in a batch, with its flag."""
    return lru_batch(TODAY if remedy == "today" else remedy, isolation=isolation).run()


def runs_table(runs: Mapping[str, Trace], what: str) -> Frame:
    """What became of each run."""
    cells = [
        (drains(run), run.last.world.vmstat["pgmigrate_fail"], pin_result(run))
        for run in runs.values()
    ]
    return frame(cells, labels(runs, what), ["drains", "pgmigrate_fail", "the pin"])


def remedies_tried() -> list[Any]:
    """Who holds the page, and what each remedy comes to."""
    runs = {TODAY if name == "today" else name: batch_run(name) for name in REMEDIES}
    refused = runs["v2"].at("folio_ref_freeze")
    return [state_picture(refused, region="P1"), runs_table(runs, "remedy")]


batch = Card(
    "Which of these let the pin of that page succeed?",
    dict.fromkeys(REMEDIES, bool),
    labels=REMEDIES,
    outcome=lambda: {name: pin_result(batch_run(name)) == PINNED for name in REMEDIES},
    hints=(
        "Whose reference is it, and what would make it go?",
        "Neither trying again nor waiting empties a batch of an idle processor.",
    ),
    why="A batch does not let go by itself; somebody has to drain it.\n\n"
    "The counters tell this failure from the one of 2022. Here `pgmigrate_fail` goes up by 1, "
    "and no counter whose name begins with `thp_` moves. A patch that cures one of the two "
    "failures says nothing about the other.",
    still=remedies_tried,
)


# -- a policy of one's own

NEVER, STEPS_MAX, OFTENER = "never", 200, 8
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "visit": ("vfio_map", {"order": 1, "passes": 3, "released": 1}),
    "drop_caches": ("pin_versus", SMALL),
    "lru_batch": ("lru_batch", {}),
    NEVER: ("vfio_map", {"order": 1}),
}
DRAINS_MAX = {HUGE_PAGE: 0, PIECE: 1, SINGLE_PAGE: 1}

KNOWN = {
    "v3fix": (0.952388573873, 0.303724839399, 0.0, 119),
    "drain": (0.971392656368, 0.37587072941, 1.0, 120),
    "wait": (0.997454898205, 0.401443021742, 0.0, 219),
    TODAY: (0.965559778626, 0.401942504917, 1.0, 138),
}
"""The scores of the known rows, in the order of CASES; a test searches again."""


@lru_cache(maxsize=64)
def score(version: Version, case: str) -> float:
    """The odds of success over every order of steps; in the case that can't be won, the steps.

    Raises SandboxError, in one sentence, if a policy goes wrong."""
    scenario, knobs = CASES[case]
    situation = make(scenario, version, knobs)
    if case == NEVER:
        return sum(event.actor == PIN for event in situation.run().events)
    weights = {PIN: OFTENER} if len(situation.actors) > 1 else {}
    ends_ = situation.explore().outcomes(lambda state: str(situation.succeeded(state)), weights)
    return round(float(sum(end.odds for end in ends_ if end.name == "True")), 12)


def in_words(case: str, found: float) -> str:
    """A score as it is told."""
    return f"{found} steps" if case == NEVER else f"{100 * found:.1f} %"


def to_beat(case: str) -> str:
    """What a policy has to beat."""
    return in_words(case, KNOWN["v3fix"][[*CASES].index(case)])


def drains_for(version: Version, what: str) -> int:
    """How often all processors are drained for one such page that is held for ever."""
    usual = GIVE_UP if what == PIECE else TRY_AGAIN
    tries = (Attempt(what, "-EAGAIN", "longterm_pin", n + 1, usual) for n in range(MIGRATE_PASSES))
    said = [*takewhile(lambda answer: answer != GIVE_UP, map(version.policy, tries))]
    return said.count(DRAIN)


own = lru_cache(maxsize=8)(own_policy)
"""The row of a function, the same one each time."""


def others_notice(version: Version) -> list[str]:
    """For which reasons other than a long-term pin a run ends otherwise than without a policy."""
    found = []
    for reason in [reason for reason in REASONS if reason != "longterm_pin"]:
        usual, mine = (vfio_map(row, reason=reason, order=1).run() for row in (V3FIX, version))
        if usual.last.world.key() != mine.last.world.key() or len(usual) != len(mine):
            found.append(reason)
    return found


def judge_policy(decide: Any) -> Verdict:
    """Better than the last version where something can be won, and no burden elsewhere."""
    first = [Attempt(what, "-EAGAIN", "longterm_pin", 1, "try again") for what in DRAINS_MAX]
    row = own(decide)
    if all(limited("policy", decide, attempt) is None for attempt in first):
        return UNTOUCHED
    if notice := others_notice(row):
        return failed(f"callers other than a pin notice it: {', '.join(notice)}")
    for what, most in DRAINS_MAX.items():
        if (times := drains_for(row, what)) > most:
            why = "one drain empties all" if most else "it takes no reference off a huge page"
            return failed(
                f"a {what} that is held for ever costs {plural(times, 'drain')} of every "
                f"processor, at most {most}: {why}"
            )
    if (steps := score(row, NEVER)) > STEPS_MAX:
        return failed(f"{NEVER}: {steps} steps until it gives up; at most {STEPS_MAX}")
    for case, usual in zip(CASES, KNOWN[V3FIX.name], strict=True):
        if case != NEVER and (mine := score(row, case)) <= usual:
            kind = "worse" if mine < usual else "not better yet"
            return failed(f"{case}: yours {in_words(case, mine)}, v3fix {to_beat(case)}: {kind}")
    return passed("better in every case that can be won; it costs little, and nobody else notices")


def drain_or_wait(attempt: Attempt) -> str:
    """A right answer."""
    if not attempt.pin_is_busy:
        return attempt.usual
    if attempt.what != HUGE_PAGE and attempt.tries == 1:
        return "drain"
    return "wait" if attempt.tries < 4 else attempt.usual


def scores() -> Frame:
    """The known rows and the learner's own, case by case."""
    rows = {**KNOWN, "yours": [score(own(policy.stored), case) for case in CASES]}
    cells = [[in_words(c, each[n]) for each in rows.values()] for n, c in enumerate(CASES)]
    return frame(cells, labels(CASES, "case"), [*rows])


policy: Card = Card(
    "Write a policy that does better than `v3fix` in the first three cases, and costs little in "
    "the fourth.\n"
    f"*Little* means: a pin gives up within {STEPS_MAX} steps. For a single page or a piece that "
    "is held for ever it drains at most once, and for a huge page never. Where `pin_is_busy` is "
    "False, another caller may be asking, who must not notice the policy.",
    form=FUNCTION,
    judge=judge_policy,
    solution=drain_or_wait,
    hints=(
        "What helps against the batch? For which kind of page, and after which try?",
        "First ask attempt.pin_is_busy, so that nobody else notices.",
        "Drain after the first try of what is no huge page; else wait for a few tries, then usual.",
    ),
    why="The column `drain` is a policy that drains for every busy page, and `wait` one that waits "
    "for every busy page. `drain` wins something in "
    "`visit`, too: it empties nothing there, but while it works the holder may let go. `6.12` has "
    "its own loop and its own drain, and no policy. The huge page has two pieces here. These are "
    "odds of a model, so compare columns only.\n\n"
    "What is left in `drop_caches`? The case has only two passes. With `wait`, 44 % fail at a huge "
    "page that was refused in both, and 16 % at a piece.\n\n"
    "`wait` is what a proposal of April 2026 would do. We have read it in excerpts, and no kernel "
    "with it was measured.",
    still=scores,
)


# -- a map of policies

ANSWERS, TIMES = (TRY_AGAIN, DRAIN, "wait"), (1, 2, 3)


@cache
def win_and_cost(answer: str, times: int) -> str:
    """The odds in `visit`, and the steps in `never`, of one answer to the first busy tries."""

    def decide(attempt: Attempt) -> str:
        if not attempt.pin_is_busy:
            return attempt.usual
        return answer if attempt.tries <= times else GIVE_UP

    row = own(decide)
    return f"{in_words('visit', score(row, 'visit'))}, {in_words(NEVER, score(row, NEVER))}"


def answers_table() -> Frame:
    """One row for each answer, one column for how often it is given."""
    points = sweep(win_and_cost, {"answer": ANSWERS, "times": TIMES}, bar=False)
    cells = [points[n : n + len(TIMES)] for n in range(0, len(points), len(TIMES))]
    columns = [f"first {plural(times, 'try', 'tries')}" for times in TIMES]
    return frame(
        [[point.value for point in row] for row in cells], labels(ANSWERS, "answer"), columns
    )


policy_map: Card = Card(
    "What does each answer win, and what does it cost?\nEach field has the odds in `visit`, and "
    "how many steps the pin takes in `never`.",
    why="`visit` has three passes, so the answer to the third try changes nothing there. The "
    "answers hold for pieces, too, so `try again` wins more than `v3fix`.",
    still=answers_table,
    needs=(policy,),
)

# -- the test the wrong way round

accident = Card(
    "The same two pages and `v2`, with the test the wrong way round: what becomes of the pin?\n"
    "Go through two rounds: what does the pin find on each page?",
    {"result": (PINNED, "-ENOMEM"), "drains": (0, 1, 2)},
    labels={"drains": "how often it drains"},
    outcome=lambda: {
        "result": pin_result(batch_run("v2", "inverted")),
        "drains": drains(batch_run("v2", "inverted")),
    },
    why="In the first round both pages are isolated, and left off the list. The list is empty, so "
    "the pin begins again. Now both pages have no `PG_lru`, and the pin drains once. This time "
    "isolation fails, so both pages come on the list, and they are moved.\n\n"
    "The drain happens by accident, and it rescues the pin. That this hid such batches in 2022 is "
    "our inference. The reports that we know are from 2024 on, after the repair.",
    still=lambda: runs_table({test: batch_run("v2", test) for test in ISOLATIONS}, "the test, v2"),
)
