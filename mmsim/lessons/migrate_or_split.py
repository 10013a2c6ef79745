"""Lesson 04: a huge page that has to leave CMA is migrated, or split and migrated."""

from __future__ import annotations

from functools import cache
from typing import Any

from mmsim.constants import REPORTED
from mmsim.engine.trace import Trace
from mmsim.evidence.ftrace import real_trace
from mmsim.lessons.card import Card, Pick, in_order, quiz, seeded, widget
from mmsim.lessons.form import Verdict, failed, passed, ran
from mmsim.lessons.the_report import QUESTIONS
from mmsim.mm.world import AVAILABLE, NONE, World
from mmsim.scenarios import SCENARIOS, vfio_map
from mmsim.scenarios.observed import counters_of, migrate_returns, pin_result
from mmsim.views.flow import end_words, flow_picture, tries, tries_picture
from mmsim.views.ledger import ledger_picture
from mmsim.views.show import Shown
from mmsim.views.svg import Picture
from mmsim.views.tables import Frame, frame, labels

VERSIONS = ("base", "v1", "v2")
PASSES = int(vfio_map().knobs["passes"])


@cache
def run(version: str = "base", **knobs: Any) -> Trace:
    """A run of the lesson's situation."""
    return vfio_map(version, **knobs).run()


# -- a huge page is free, or none is

LEAVES = {
    "A huge page is free: base tries to move the page": AVAILABLE,
    "No huge page is free: base tries to split the page": NONE,
}


def runs_until(released: str) -> dict[str, Trace]:
    """Both runs of base, with a holder that lets go before that pass."""
    return {words: run(targets=free, released=released, order=1) for words, free in LEAVES.items()}


def until_picture(released: str) -> Picture:
    """What is tried in each pass, if the holder lets go before pass `released`."""
    title = f"The same page, and a holder that lets go before pass {released}"
    if released == "never":
        title = "The same page, the same reference: ten tries, or one"
    return tries_picture(title, runs_until(released))


ten_or_one = Shown(lambda: until_picture("never"))
ASKED = {
    "free_tries": "a huge page is free: tries",
    "free_leaves": "a huge page is free: the page leaves CMA",
    "none_tries": "no huge page is free: tries",
    "none_leaves": "no huge page is free: the page leaves CMA",
}
leaves = Card(
    "In base the holder lets go before pass 3: how often is the page tried, and does it leave "
    "CMA?\nPasses are counted from 0.",
    {name: bool if "leaves" in name else (1, 3, 4, PASSES) for name in ASKED},
    labels=ASKED,
    outcome=lambda: {
        f"{free}_{what}": found
        for free, trace in zip(("free", "none"), runs_until("3").values(), strict=True)
        for what, found in (("tries", len(tries(trace))), ("leaves", pin_result(trace) == "pinned"))
    },
    why="**A busy move was retried ten times, a refused split never.** The move is busy in passes "
    "0, 1 and 2, and succeeds in pass 3. The refused split is never tried again, so it does not "
    "help that the holder goes.",
    still=lambda: until_picture("3"),
    play=widget(
        "Console",
        until_picture,
        [knob for knob in SCENARIOS["vfio_map"].knobs if knob.name == "released"],
        released="3",
    ),
)


# -- one question decides the way

FOUR = {
    "free_nobody": ("a huge page is free, nobody holds the page", AVAILABLE, 0),
    "free_holder": ("a huge page is free, a holder never lets go", AVAILABLE, 1),
    "none_nobody": ("none is free, nobody holds the page", NONE, 0),
    "none_holder": ("none is free, a holder never lets go", NONE, 1),
}
four = Card(
    "What does `thp_migration_fail` say at the end of each of these runs, in base?\n"
    "It goes up at two moments: when no destination can be had, and after the last pass, for a "
    "huge page that still waits. A huge page that was given up does not wait.",
    dict.fromkeys(FOUR, (0, 1, 2, PASSES)),
    labels={name: words for name, (words, *_) in FOUR.items()},
    outcome=lambda: {
        name: counters_of(run(targets=free, holder=held))["thp_migration_fail"]
        for name, (_, free, held) in FOUR.items()
    },
    why="*A huge page is free, a holder:* there is a destination each time. So nothing is counted "
    "until the last pass is over, and then the page still waits. **No split is tried.** "
    "In Linux 6.1 only a missing destination leads to a split.\n\n"
    "*None is free:* the missing destination is counted before the split begins. So a split that "
    "succeeds counts as one failed migration, too. Base does not try a refused split again.\n\n"
    "In the chart the way of a run is bold, with the number of times.",
    still=lambda: [flow_picture(run(targets=AVAILABLE)), flow_picture(run())],
    play=widget(
        "console",
        vfio_map(),
        knobs=("targets", "holder", "released", "trouble"),
        versions=VERSIONS,
    ),
)


def judge_pair(answer: object) -> Verdict:
    """The reported counters, both of them, by a failing pin, and nobody holds a reference."""
    situation, trace = ran(answer, "a situation: vfio_map(...) with knobs of your choice")
    if situation.knobs["targets"] == AVAILABLE:
        return failed("with a free huge page elsewhere no split is tried")
    if set(counters_of(trace).values()) != {1} or pin_result(trace) == "pinned":
        return failed(end_words(trace))
    if situation.knobs["holder"]:
        return failed(f"{end_words(trace)}: the pair, but with a holder; find one without")
    return passed(f"{end_words(trace)}, and nobody held a reference")


pair = Card(
    "Write a situation that gives the reported pair, `thp_migration_fail` 1 and "
    "`thp_split_page_failed` 1, and a pin that fails: *without* a holder.",
    form="vfio_map(...)",
    judge=judge_pair,
    hints=(
        "Lesson 00 had suspects that need no holder.",
        "holder=0, and something else is the matter with the page: the knob trouble.",
        "trouble can be truncated, nomem or writeback; one of them is not counted as a refused "
        "split.",
    ),
    solution=vfio_map("base", holder=0, trouble="truncated"),
)


# -- the steps of a split, in order

# What may happen in a split, and why each of its six steps comes where it does.  A test finds this
# order in a run of the model.
WHAT = {
    "check": "the count is compared, and nothing is changed",
    "cut": "the page is cut into 512",
    "freeze": "the count is set to 0, so that nobody can take a reference",
    "lock": "the page's own lock is taken",
    "pin": "a long-term pin is taken",
    "unlock": "the lock is given back",
    "unmap": "the mappings are removed",
    "wait": "the kernel sleeps until the holder lets go",
}
WHY = {
    "lock": "nobody else may move, cut or truncate the page meanwhile",
    "check": "if the answer is no, nothing has been changed yet",
    "unmap": "removing a mapping drops its reference, and after the freeze nobody may drop one",
    "freeze": "from here on nobody may take or drop a reference",
    "cut": "only now can each piece safely get a count of its own",
    "unlock": "the pieces can be moved",
}
order = in_order(
    "Put the six steps of a split that succeeds into order; two of the eight don't belong.\n"
    + "\n\n".join(f"`{step}`: {what}" for step, what in WHAT.items()),
    WHY,
    {
        "pin": "'pin' is not part of a split: a pin is one more reference, and would make the "
        "split impossible",
        "wait": "'wait' is not part of a split: no version waits for a reference to go; they look "
        "again at once or give up",
    },
    "this is the order of the model's run",
    why="\n\n".join(f"`{step}`: {why}." for step, why in WHY.items()),
    hints=(
        "Six of the eight steps happen. Which two would make things worse?",
        "No reference may come or go while the page is cut. A mapping that goes takes one with it.",
        "lock, check, unmap, freeze, cut, unlock",
    ),
)


# -- the check and the freeze

LATE = vfio_map(taken="0.split.freeze")
"""The holder comes between the check and the freeze."""


def at_the_freeze() -> World:
    """The state that the freeze finds."""
    trace = LATE.run()
    world: World = trace.state(trace.find("folio_ref_freeze")).world
    return world


def references_at_freeze() -> dict[str, int]:
    """How many references there are, and how many are explained."""
    (page,) = at_the_freeze().folios.values()
    return {"there": page.refcount, "explained": page.cache_refs + page.mapcount + 1}


counted = Card(
    "The holder comes right after the check: at the freeze, how many references are there, and "
    "how many can the kernel explain?\n"
    "Before the check the page was in the page cache, mapped once, and isolated (one reference).",
    dict.fromkeys(("there", "explained"), (512, 513, 514, 515, 516)),
    labels={"there": "references on the page", "explained": "references that are explained"},
    outcome=references_at_freeze,
    why="By now the mapping has been removed. So 512 of the page cache and 1 of the isolation are "
    "explained, and the holder's is one too many. The freeze finds that out although the check "
    "found nothing.",
    hints=(
        "The page cache has one reference for each small page.",
        "Which of your six steps stands between the check and the freeze, and what does it remove?",
    ),
    still=lambda: ledger_picture(
        at_the_freeze(),
        "The freeze finds {there} references, and {explained} are explained".format(
            **references_at_freeze()
        ),
    ),
    play=widget("stepper", LATE, versions=VERSIONS),
)


# -- the patch

COUNTS = (1, 2, 3, 9, 10, 11, 12)
RESCUES: dict[str, tuple[str, tuple[int, ...], int, str]] = {
    "before_9": ("the holder leaves before pass 9", COUNTS, 10,
                 "passes are counted from 0, and the page is split in the last one"),
    "truncated": ("the page is truncated, no holder", COUNTS, 1,
                  "no reference was in the way, so v2 does not try again"),
}  # fmt: skip
"""The cases, and what `thp_migration_fail` is then.  A test asks the model."""


def rescue_run(case: str) -> Trace:
    """The run of a case; a small huge page will do, for all that is counted here in huge pages."""
    knobs = {"released": 9} if case == "before_9" else {"holder": 0, "trouble": "truncated"}
    return run("v2", order=1, **knobs)


rescues = quiz(
    "What does `thp_migration_fail` say at the end of each of these runs, in v2?\n"
    "No huge page is free. The counter goes up at the same two moments as in base: for each "
    "missing destination, and after the last pass for a huge page that still waits.",
    RESCUES,
    "one for each pass without a destination; after the last one neither page still waits",
    hints=(
        "Before each attempt to split, v2 asks for a destination again.",
        "A holder that leaves before pass 1: v2 asks in passes 0 and 1, then the page is split: 2.",
        "v2 tries again under two conditions. Does a truncated page meet both?",
    ),
    why="A holder that never leaves gives ten refusals and *eleven* failures, as in lesson 00. A "
    "busy move is counted once, after the last pass. A refused split is counted in every pass, and "
    "once more after the last. That is a flaw of the patch, repaired later (lesson 09).",
    still=lambda: tries_picture(
        "v2 looks again only if a reference was in the way",
        {f"{words.capitalize()}: v2": rescue_run(case) for case, (words, *_) in RESCUES.items()},
    ),
)


# -- the companion


def without_holder(version: str) -> tuple[int, str]:
    """What a pin gets from migrate_pages() and how it ends: no huge page is free, nobody holds."""
    trace = run(version, holder=0, order=1)
    return migrate_returns(trace)[-1], pin_result(trace)


def returned_and_pinned(*versions: str) -> dict[str, int | bool]:
    """The same, as a card asks for it."""
    found: dict[str, int | bool] = {}
    for version in versions:
        found[f"{version}_returns"], end = without_holder(version)
        found[f"{version}_pinned"] = end == "pinned"
    return found


returned = Card(
    "All pieces have moved: what does `migrate_pages()` return in base, and does the pin succeed?",
    {"base_returns": (0, 1, 512), "base_pinned": bool},
    outcome=lambda: returned_and_pinned("base"),
    why="The pin of base fails *although everything moved*. The huge page that was split counts as "
    "one failure. So the number is not 0, and the pin gives up. Trying again alone would be of no "
    "use to this pin.\n\n"
    "In base, then, *every* pin that needs a split fails, with or without a holder. The "
    "report's second counter shows that a split was refused. So there something else was in the "
    "way, too.\n\n"
    "Why did the failure not come each time? If a huge page is free outside CMA, no split is "
    "needed. And a call that fails here leaves the pieces outside CMA, so the same call can "
    "succeed when it is made again.",
    still=lambda: flow_picture(run(holder=0)),
)

companion = Card(
    "The same run in v1 and in v2: what does `migrate_pages()` return, and does the pin succeed?\n"
    "Nobody holds the page, no huge page is free, the split succeeds, and all 512 pieces move.",
    {"v1_returns": (0, 1, 512), "v1_pinned": bool, "v2_returns": (0, 1, 512), "v2_pinned": bool},
    outcome=lambda: returned_and_pinned("v1", "v2"),
    why="v1 still returns a positive number. Its pin gives up only at a negative number, or if a "
    "page is left on the list: here neither is so. v2 returns 0, so its pin needs no new rule.\n\n"
    "With a holder that never lets go, the page is left on the list. Then the pin fails in both.",
    still=lambda: frame(
        [without_holder(version) for version in VERSIONS],
        labels(VERSIONS, "version"),
        ["migrate_pages() returns", "the pin"],
    ),
    hints=(
        "v1 changes nothing in migrate_pages(). What did base return?",
        "v1: is the number negative? Is a page left on the list?",
        "v2: was a huge page split, and is the list empty?",
    ),
)


# -- a real kernel


def measured_counters() -> Frame:
    """The counters of the report after a pin of a page that is held for ever."""
    rows = {}
    for version in VERSIONS:
        kernel = real_trace(f"S3_held_{version}_retfix1.txt").delta
        rows[f"{version} with merged companion, measured"] = [kernel[name] for name in REPORTED]
        rows[f"{version}, model"] = [*counters_of(run(version)).values()]
    return frame([*rows.values()], labels(rows, "kernel"), REPORTED)


measured = Card("What real kernels counted", still=measured_counters, needs=(rescues,))


# -- the six statements of lesson 00

ANSWERS = {
    "users": (False, "512 of them are the page cache's, one for each small page"),
    "pinned": (False, "any reference that the kernel can't explain is enough, a pin or not"),
    "free": (False, "2 MiB in one piece outside CMA are needed; scattered ones are of no use"),
    "ten": (False, "the tries follow each other at once, so one long visit can refuse all ten"),
    "errno": (True, "v2 tries again after -EAGAIN and gives up on -EBUSY"),
    "locked": (True, "nobody needs the page's lock to take a reference"),
}
posttest = quiz(
    "The six statements of lesson 00, once more: true or false?",
    {name: (QUESTIONS[name], bool, true, why) for name, (true, why) in ANSWERS.items()},
)


# -- more runs

HOLDER = "somebody has a reference on the first one and "
IN_THE_WAY: dict[str, dict[str, object]] = {
    f"{HOLDER}never lets go": {},
    **{f"{HOLDER}lets go before pass {n}": {"released": n} for n in range(1, PASSES)},
    "nobody is in the way": {"holder": 0},
    "the first one is truncated": {"holder": 0, "trouble": "truncated"},
    "the first one is under writeback": {"holder": 0, "trouble": "writeback"},
    "the first one's file gets no memory for its longer list": {"holder": 0, "trouble": "nomem"},
}
COUNTED = (
    "`thp_migration_fail` counts each missing destination, and each huge page that still waits "
    "after the last pass.",
    "`thp_split_page_failed` counts the refused splits. A page under writeback is turned away "
    "before this counter.",
)


@seeded
def practise(pick: Pick) -> Card:
    """Another run: what the two counters of the report say, and how the pin ends."""
    version, thps, words = pick((*VERSIONS, "v2")), pick((1, 2)), pick([*IN_THE_WAY])
    knobs = IN_THE_WAY[words]
    free = NONE if "trouble" in knobs else pick((NONE, NONE, AVAILABLE))
    many = "One huge page lies" if thps == 1 else "Two huge pages lie"
    place = "no huge page is free" if free == NONE else "huge pages are free elsewhere"

    def outcome() -> dict[str, Any]:
        trace = run(version, thps=thps, targets=free, **knobs)
        return counters_of(trace) | {"pin": pin_result(trace)}

    return Card(
        f"What do the two counters say at the end of this run, in {version}, and how does the pin "
        f"end?\n{many} in CMA, and {place}; {words}.",
        {**dict.fromkeys(REPORTED, int), "pin": ("pinned", "-ENOMEM")},
        outcome=outcome,
        against=lambda part, given: (
            f"not {given}; what is tried in each pass?",
            str(outcome()[part]),
        ),
        if_right="the chart has the way of the run",
        hints=(
            "Is there a destination? If so, no split is tried. Who tries a refused split again?",
            *COUNTED,
        ),
        why="\n\n".join(COUNTED),
        still=lambda: flow_picture(run(version, thps=thps, targets=free, **knobs)),
    )
