"""Lesson 09: a wrong counter, the loop of 6.12, another holder, and a policy of one's own.

Interface: the cards eleven, once, loop, between, recall, batch, accident, policy; the picture
today; breaks; and the names that the text fills in."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from mmsim import errno
from mmsim.constants import MIGRATE_PASSES, MR_LONGTERM_PIN, REASONS
from mmsim.datafiles import load_csv
from mmsim.engine.schedule import render
from mmsim.engine.trace import Trace
from mmsim.lessons.card import Card, checked, quiz
from mmsim.lessons.form import Choices, Verdict, failed, passed
from mmsim.mm.seams import GIVE_UP, HUGE_PAGE, PIECE, SINGLE_PAGE, WAIT_LOOKS, Attempt, Version
from mmsim.mm.versions import LATEST
from mmsim.mm.world import EITHER, NONE
from mmsim.scenarios import SMALL, lru_batch, make, vfio_map
from mmsim.scenarios.policy import PolicyError, limited, own_policy
from mmsim.scenarios.situation import Situation
from mmsim.views.flow import flow_picture
from mmsim.views.show import Picture, Shown, moment
from mmsim.views.svg import FILLS, INK, MUTED, PANEL, Svg
from mmsim.views.svg import SMALL as SMALL_TYPE
from mmsim.views.tables import frame, labels
from mmsim.views.words import plural

if TYPE_CHECKING:
    import pandas as pd

PIN, PINNED, LINE_MAX, TODAY = "pin", "pinned", 90, "6.12"
UNTOUCHED = Verdict("not attempted", "the function returns nothing yet")


def ended(trace: Trace) -> str:
    """What the pin of a run came to."""
    return PINNED if trace.results[PIN] > 0 else errno.name(trace.results[PIN])


def drains(trace: Trace) -> int:
    """How often the batches of all processors were drained."""
    return sum(event.op.kind.name == "lru_add_drain_all" for event in trace.events)


# -- one page, eleven failures


def held() -> Situation:
    """One huge page in CMA, none free, and a holder that never lets go."""
    return vfio_map("v2", order=1)


def count_of(version: str, counter: str = "thp_migration_fail") -> int:
    """What a counter says of that page at the end."""
    return int(held().with_(version).run().last.world.vmstat[counter])


def play_eleven() -> Any:
    """The same page with fewer passes."""
    from mmsim.widgets import console

    return console(held(), knobs=("passes",), versions=("v2",))


eleven = Card(
    "eleven",
    "One huge page, none free, and a holder that never lets go: version 2.\n"
    "With the slider, give it fewer passes, and read `thp_migration_fail` under the picture.",
    still=lambda: [
        flow_picture(held().run()),
        f"thp_split_page_failed {count_of('v2', 'thp_split_page_failed')}, "
        f"thp_migration_fail {count_of('v2')}. With 3 passes: 3 and "
        f"{held().with_(passes=3).run().last.world.vmstat['thp_migration_fail']}.",
    ],
    play=play_eleven,
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
CLAIMS = "lessons/claims.csv"
# A holder of the first page leaves at any time.  A free huge page is there or not, each time it is
# asked for; not so if the page cache gets no memory, where the search would not end.
SEARCHED: tuple[dict[str, object], ...] = (
    {"thps": 1, "passes": 3, "targets": EITHER},
    {"thps": 2, "passes": 2, "targets": EITHER},
    {"trouble": "writeback", "passes": 2, "targets": EITHER},
    {"trouble": "truncated", "passes": 2, "targets": EITHER},
    {"trouble": "nomem", "passes": 2, "targets": NONE},
)


def searched(version: str) -> dict[Counts, str]:
    """Everything that a pin can count in any order of steps, each with a shortest schedule."""
    found: dict[Counts, str] = {}
    for knobs in SEARCHED:
        situation = make("vfio_map", version, {**knobs, "order": 1, "released": 1})
        search = situation.explore()
        assert search.complete
        for end in search.outcomes(lambda state, of=situation: str(counted(of, state))):  # type: ignore[misc]
            schedule = render(end.shortest or ())
            run = situation.replay(schedule)
            if PIN in run.results:
                found.setdefault(counted(situation, run.last), schedule)
    return found


def counted(situation: Situation, state: Any) -> Counts:
    """What was counted when a pin has returned."""
    world, vmstat = state.world, state.world.vmstat
    left = (f.nr_pages for pfn, f in world.folios.items() if f.name and world.in_cma(pfn))
    numbers = [situation.knobs["thps"], *(vmstat[name] for name in Counts._fields[1:5]), sum(left)]
    return Counts._make([*map(int, numbers), situation.succeeded(state)])


@cache
def ends(version: str) -> Mapping[Counts, str]:
    """The same, as it is stored; a test searches again."""
    found = {}
    for row in load_csv(CLAIMS):
        if row["version"] == version:
            numbers = [int(row[name]) for name in Counts._fields[:-1]]
            found[Counts._make([*numbers, row["pinned"] == "True"])] = row["schedule"]
    return found


def breaks(claim: Claim, version: str) -> tuple[Counts, str] | None:
    """A shortest run of a version that breaks a claim; None if all keep it."""
    return next((end for end in ends(version).items() if not limited("claim", claim, end[0])), None)


def counted_once(c: Counts) -> bool:
    """A right answer: no huge page is counted as moved and as failed."""
    return c.thp_migration_success + c.thp_migration_fail <= c.huge_pages


def claimed(claim: Any) -> Verdict:
    """Does a claim tell v2 from v3fix?"""
    keeps, broken_by = LATEST.name, "v2"
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
    lines = "\n".join(textwrap.fill(line, LINE_MAX, subsequent_indent="  ") for line in told)
    return passed(f"{keeps} keeps your claim, {broken_by} does not", lines)


def twice_counted() -> list[Any]:
    """The end of the shortest run of v2 in which one page is counted twice."""
    found = breaks(counted_once, "v2")
    assert found is not None
    situation = make("vfio_map", "v2", {**SEARCHED[0], "order": 1, "released": 1})
    run = situation.replay(found[1])
    return [flow_picture(run), f"{found[0]}."]


once = Card(
    "once",
    "Write a claim that `v3fix` keeps in every run, and `v2` breaks.\n"
    "A huge page that is split counts in `thp_migration_fail`: it was not moved whole.",
    form="your_function",
    judge=claimed,
    solution=counted_once,
    hints=(
        "How often may one huge page be counted as moved or as failed?",
        "Add up thp_migration_success and thp_migration_fail. What can the sum never be more than?",
        "return c.thp_migration_success + c.thp_migration_fail <= c.huge_pages",
    ),
    why="No huge page moves more than once, nor fails more than once, nor both. So moved and "
    "failed together are at most as many as there are.\n\n"
    "`v2` breaks this long before the tenth refusal. In the picture the page is refused *once*. "
    "Then a huge page is free, and it moves whole: one page, counted as moved **and** as failed. "
    "So the exit after ten passes is not what is wrong. A refusal that is tried again should not "
    "be counted at all.",
    still=twice_counted,
)


# -- the loop of 6.12


@cache
def measured_612() -> dict[str, int]:
    """One huge page held for ever on an unmodified 6.12.117; a test looks at all such pins."""
    rows = load_csv("kernel-runs/k612/k612_s3_held_summary.csv")
    row = next(row for row in rows if row["scenario"] == "S3_held")
    names = ("thp_split_page_failed", "thp_migration_fail")
    return {name: int(float(row[f"mean_d_{name}"])) for name in names}


def both_loops() -> pd.DataFrame:
    """The same page in three loops, and in the kernel that was measured."""
    names = [*measured_612()]
    cells = [[count_of(version, name) for name in names] for version in ("v3", "v3fix", TODAY)]
    rows = ["v3, model", "v3fix, model", "6.12, model", "Linux 6.12.117, 27 pins measured"]
    return frame([*cells, [*measured_612().values()]], labels(rows, "kernel"), names)


loop = Card(
    "loop",
    "The page of the first picture on Linux 6.12: none free, and the holder stays. What is "
    "counted?",
    {"thp_split_page_failed": (1, 3, 7, 10, 70), "thp_migration_fail": (1, 2, 7, 10, 11)},
    outcome=measured_612,
    why="In each try the split is refused, and `thp_split_page_failed` counts the refusals: three "
    "and seven. `thp_migration_fail` counts pages. What failed in the first three tries is "
    "forgotten, and the repair is in: one page, one failure.",
    still=both_loops,
)

SITES = {"move.unmap": "unmapped", "move.freeze": "compared", "move.check": "compared"}
BESIDE = ("v3", TODAY)


@cache
def refused_moves(version: str) -> Trace:
    """A huge page is free, and a holder that never lets go keeps the page from moving."""
    return vfio_map(version, order=1, targets="available").run()


def done(version: str) -> dict[str, int]:
    """How often the page of `refused_moves` is unmapped, and its count compared."""
    found = dict.fromkeys(SITES.values(), 0)
    for event in refused_moves(version).events:
        if event.site in SITES:
            found[SITES[event.site]] += 1
    return found


def loops_picture() -> Picture:
    """Both loops, a field for each step: is the page locked, mapped, its count compared?"""
    left, wide, high = 62.0, 7.3, 34.0
    fills = {
        "locked": FILLS["MOVABLE"],
        "locked, and mapped nowhere": FILLS["UNMOVABLE"],
    }
    v3, today = (done(version) for version in BESIDE)
    claim = (
        f"{v3['compared']} tries each to move a held page: v3 unmaps it {v3['unmapped']} times, "
        f"6.12 {today['unmapped']} times"
    )
    svg = Svg(1000, 240, claim, claim)
    svg.headline(18, 32, 964, claim)
    for place, version in enumerate(BESIDE):
        run, y = refused_moves(version), 56 + 66.0 * place
        svg.text(left - 12, y + 22, version, left - 20, bold=True, anchor="end")
        begin = next(n for n, event in enumerate(run.events) if event.site == "migrate.start")
        steps = [n for n, event in enumerate(run.events) if event.actor == PIN and n > begin]
        for column, n in enumerate(steps):
            folio = run.state(n + 1).world.folio(min(run.state(0).world.folios))
            x = left + wide * column
            if folio.locked_by:
                fill = fills["locked" if folio.mapcount else "locked, and mapped nowhere"]
                svg.filled(x, y, wide, high, fill)
            else:
                svg.rect(x, y, wide, high, fill=PANEL)
            if SITES.get(run.events[n].site) == "compared":
                svg.rect(x + 2.3, y - 4, 4, high + 8, fill=INK)
        svg.rect(left, y, wide * len(steps), high, fill="none", stroke=MUTED)
        said = f"{len(steps)} steps"
        svg.text(left + wide * len(steps) + 10, y + 22, said, 100, size=SMALL_TYPE)
    signs = [svg.swatch(fill, name) for name, fill in fills.items()]
    bar = (lambda x, y: svg.rect(x + 4, y - 2, 4, 16, fill=INK)), 10.0, "the count is compared"
    note = "a field is a step of migrate_pages(), from left to right"
    svg.legend(left, 190, 1000, [*signs, bar])
    svg.note(left + 560, 200.5, note, 460)
    words = "; ".join(
        f"{version}: {done(version)['unmapped']} times unmapped, {done(version)['compared']} times "
        "compared"
        for version in BESIDE
    )
    return Picture(svg.render(), f"{claim}. {words}.")


between = Card(
    "between",
    "6.12 again, and now a huge page is free. The holder stays. How often is the page unmapped, "
    "and how often is its count compared?",
    dict.fromkeys(("unmapped", "compared"), (1, 2, 3, 7, 10)),
    outcome=lambda: done(TODAY),
    why="`v3` unmaps, compares and maps again in each of its ten passes. 6.12 unmaps once for "
    "its three asynchronous tries and once for the seven others, and compares ten times. A trace "
    "of an unmodified 6.12.117 has the same ten refused moves, and two requests for memory.\n\n"
    "So as many tries take less time. A holder that needs the page's lock, or a mapping of it, "
    "can get on only between the two. (This sentence is read from the source, not measured.)",
    still=loops_picture,
)


# -- another holder

recall = quiz(
    "recall",
    "Three questions about earlier lessons, from memory.",
    {
        "eleven": (
            "`migrate_pages()` returns 11. What is it?",
            Choices(a="an error code", b="how many failed", c="how many moved"),
            "b",
            "a positive number counts failures, an error code is negative",
        ),
        "others": (
            "Who got another error code from version 1?",
            Choices(a="callers other than a pin", b="long-term pins", c="nobody"),
            "a",
            "v1 changed what callers see that had asked for no second try",
        ),
        "window": (
            "Ten passes, one tick apart: which holder do they mostly outlast?",
            Choices(a="one that holds for 100 ticks", b="one of some ticks", c="any holder"),
            "b",
            "the window is (passes - 1) times the gap: nine ticks",
        ),
    },
    hints=("They are in lessons 04, 08 and 07.",),
)

REMEDIES = {
    "v2": "`v2`: a refused split is tried in every pass",
    "wait": f"`wait`: wait until the reference is gone, for {WAIT_LOOKS} looks at most",
    "drain": "`drain`: after the first busy try, drain the batches of all processors",
    "today": "`6.12`: before it moves a single page, the pin compares its references with those "
    "that it can explain, and drains if there are more",
}


@cache
def batch_run(remedy: str, isolation: str = "meant") -> Trace:
    """The pin of two single pages, one of them in a batch that keeps its flag."""
    return lru_batch(TODAY if remedy == "today" else remedy, isolation=isolation).run()


def remedies_tried() -> list[Any]:
    """Who holds the page, and what each remedy comes to."""
    runs = {name: batch_run(name) for name in REMEDIES}
    cells = [(drains(r), r.last.world.vmstat["pgmigrate_fail"], ended(r)) for r in runs.values()]
    names = labels([TODAY if name == "today" else name for name in runs], "remedy")
    refused = runs["v2"].find("folio_ref_freeze", 1)
    return [
        *moment(runs["v2"], refused, region="P1"),
        frame(cells, names, ["drains", "pgmigrate_fail", "the pin"]),
    ]


def helps() -> dict[str, bool]:
    """Which remedies let the pin succeed."""
    return {name: ended(batch_run(name)) == PINNED for name in REMEDIES}


batch = Card(
    "batch",
    "Which of these let the pin of that page succeed?",
    dict.fromkeys(REMEDIES, bool),
    labels=REMEDIES,
    judge=checked(
        helps,
        lambda *_: "what has to happen before the batch lets go, and does it here?",
        lambda name: f"{plural(drains(batch_run(name)), 'drain')}, and {ended(batch_run(name))}",
        "a batch does not let go by itself; somebody has to drain it",
    ),
    outcome=helps,
    hints=(
        "Whose reference is it, and what would make it go?",
        "Neither trying again nor waiting empties a batch of an idle processor.",
    ),
    why="The counters tell this failure from the one of 2022. Here `pgmigrate_fail` goes up by 1, "
    "and no counter whose name begins with `thp_` moves. A patch that cures one of the two "
    "failures says nothing about the other.",
    still=remedies_tried,
)


def both_tests() -> pd.DataFrame:
    """The same pin with the test as meant and inverted."""
    runs = {test: batch_run("v2", test) for test in ("meant", "inverted")}
    cells = []
    for run in runs.values():
        looks = [e.op.args for e in run.events if e.op.kind.name == "is_longterm_pinnable_page"]
        cells.append((looks.count(looks[0]), drains(run), ended(run)))
    return frame(cells, labels(runs, "the test, v2"), ["rounds", "drains", "the pin"])


accident = Card(
    "accident",
    "The same two pages and `v2`, with the test the wrong way round. What becomes of the pin?\n"
    "Go through two rounds: what does the pin find on each page?",
    {"result": (PINNED, "-ENOMEM"), "drains": (0, 1, 2)},
    labels={"drains": "how often it drains"},
    outcome=lambda: {
        "result": ended(batch_run("v2", "inverted")),
        "drains": drains(batch_run("v2", "inverted")),
    },
    why="In the first round both pages are isolated, and left out. The list is empty, so the pin "
    "begins again. Now the pages have no `PG_lru`, and the pin drains. This time isolation fails, "
    "both pages come on the list, and they are moved.\n\n"
    "The drain happens by accident, and it rescues the pin. That this hid such batches in 2022 is "
    "our inference. The reports that we know are from 2024 on, after the repair.\n\n"
    "In the rows of the model the test in `collect_longterm_unpinnable_pages()` is as it was "
    "meant. For a huge page that is held Linux 6.1-rc1 acquires 1,024 pins, and `base` 512.",
    still=both_tests,
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
    NEVER: Case("somebody holds the page and never lets go", "vfio_map", {"order": 1}),
}
DRAINS_MAX = {HUGE_PAGE: 0, PIECE: 1, SINGLE_PAGE: 1}


class Score(NamedTuple):
    """How a row fared: odds of success over every order of steps, and the steps of a run."""

    odds: float
    steps: int

    def told(self, case: str) -> str:
        """In the case that can't be won its cost counts, in the others the odds."""
        return f"{self.steps} steps" if case == NEVER else f"{100 * self.odds:.1f} %"


KNOWN = {
    "v3fix": ((0.952388573873, 66), (0.303724480742, 81), (0.0, 139), (0.0, 119)),
    "drain": ((0.971392656368, 67), (0.37586680544, 82), (1.0, 59), (0.0, 120)),
    "wait": ((0.997454898205, 76), (0.401418317607, 91), (0.0, 239), (0.0, 219)),
    TODAY: ((0.965559778626, 71), (0.401942504917, 86), (1.0, 49), (0.0, 138)),
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
        return Score(float(situation.succeeded(run.last)), steps)
    weights = {PIN: OFTENER} if len(situation.actors) > 1 else {}
    won = situation.explore().outcomes(
        lambda s: "won" if situation.succeeded(s) else "lost", weights
    )
    return Score(round(float(sum(end.odds for end in won if end.name == "won")), 12), steps)


def drained(version: Version, what: str) -> int:
    """How often all processors are drained for one such page that is held for ever."""
    found = 0
    for tries in range(1, MIGRATE_PASSES + 1):
        again = "give up" if what == PIECE or tries == MIGRATE_PASSES else "try again"
        said = version.policy(Attempt(what, "-EAGAIN", REASONS[MR_LONGTERM_PIN], tries, again))
        found += said == "drain"
        if said == GIVE_UP:
            break
    return found


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
    first = [Attempt(what, "-EAGAIN", "longterm_pin", 1, "try again") for what in DRAINS_MAX]
    try:
        row = own(decide)
        if all(limited("policy", decide, attempt) is None for attempt in first):
            return UNTOUCHED
        if notice := others_notice(row):
            return failed(f"callers other than a pin notice it: {', '.join(notice)}")
        for what, most in DRAINS_MAX.items():
            if (times := drained(row, what)) > most:
                why = "a huge page never lies in a batch" if not most else "one drain empties all"
                return failed(
                    f"a {what} that is held for ever costs {plural(times, 'drain')} of every "
                    f"processor, at most {most}: {why}"
                )
        if (steps := score(row, NEVER).steps) > STEPS_MAX:
            return failed(f"{NEVER}: {steps} steps until it gives up; at most {STEPS_MAX}")
        for name, case in CASES.items():
            mine, usual = score(row, name), known(LATEST.name)[name]
            if name != NEVER and mine.odds <= usual.odds:
                told = "worse" if mine.odds < usual.odds else "not better yet"
                told = f"yours {mine.told(name)}, {LATEST.name} {usual.told(name)}: {told}"
                return failed(f"{name} ({case.what}): {told}")
    except PolicyError as error:
        return failed(str(error))
    return passed("better in every case that can be won; it costs little, and nobody else notices")


def drain_or_wait(attempt: Attempt) -> str:
    """A right answer."""
    if not attempt.pin_is_busy:
        return attempt.usual
    if attempt.what != HUGE_PAGE and attempt.tries == 1:
        return "drain"
    return "wait" if attempt.tries < 4 else attempt.usual


def scores(*, mine: bool = True) -> pd.DataFrame:
    """The known rows and the learner's own, case by case, and what each costs in drains."""
    found = {row: known(row) for row in (KNOWN if mine else ("v3fix",))}
    if mine:
        found["yours"] = {name: score(own(policy.stored), name) for name in CASES}
    rows = [[each[case].told(case) for each in found.values()] for case in CASES]
    return frame(rows, labels(CASES, "case"), [*found])


today = Shown(lambda: scores(mine=False))
policy = Card(
    "policy",
    "Write a policy that does better than `v3fix` in the first three cases, and costs little in "
    "the fourth.\n"
    f"*Little* means: a pin gives up within {STEPS_MAX} steps. For a page that is held for ever it "
    "drains at most once, and not at all if that drain cannot help. Other callers must not notice "
    "the policy.",
    form="your_function",
    judge=policy_judged,
    solution=drain_or_wait,
    hints=(
        "What helps against the batch? For which kind of page, and after which try?",
        "First ask attempt.pin_is_busy, so that nobody else notices.",
        "Drain after the first try of what is no huge page; else wait for a few tries, then usual.",
    ),
    why="The first three rows are the chance of success over every order of steps. The pin moves "
    f"{OFTENER} times as often as the others. The huge page has two pieces here; `visit` has three "
    "passes, `drop_caches` two, the others ten. `6.12` has its own loop and its own drain, and no "
    "policy. These are odds of a model: compare columns, not with a real kernel.\n\n"
    "`wait` is what a proposal of April 2026 would do. We have read it in excerpts, and no kernel "
    "with it was measured.",
    still=scores,
)
