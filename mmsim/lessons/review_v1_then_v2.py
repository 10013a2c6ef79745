"""Lesson 08: review version 1, hear what the list said, then find the hole of version 2."""

from __future__ import annotations

from functools import cache
from typing import Any

from mmsim import errno
from mmsim.amounts import size_words
from mmsim.datafiles import load_csv
from mmsim.engine.trace import Trace
from mmsim.errors import shown
from mmsim.evidence.kernel_runs import AREA_PAGES
from mmsim.lessons.card import Card, widget
from mmsim.lessons.form import FUNCTION, UNTOUCHED, FormError, Verdict, failed, passed, ran
from mmsim.mm.policies import HUGE_PAGE, TRY_AGAIN, Attempt
from mmsim.mm.versions import get
from mmsim.sandbox import limited
from mmsim.scenarios import cma_alloc, vfio_map
from mmsim.scenarios.observed import migrate_returns, pin_result
from mmsim.views.flow import count_flow, end_words, tries_picture
from mmsim.views.show import Shown
from mmsim.views.tables import Frame, counters_by_version, frame, labels

VERSIONS = ("base", "v1", "v2")


@cache
def run(version: str, **knobs: Any) -> Trace:
    """A run of a pin; a huge page of two pieces will do."""
    return vfio_map(version, order=1, **knobs).run()


def refused(trace: Trace) -> int:
    """How often a split was refused."""
    return int(trace.last.world.vmstat["thp_split_page_failed"])


works = Shown(
    lambda: tries_picture(
        "Holder lets go before pass 3: base fails, v1 pins",
        {
            "base: a refused split ends the call": run("base", released="3"),
            "v1: a refused split is tried again": run("v1", released="3"),
        },
    )
)


# -- the reviewer

remarks = Card(
    "Write three remarks for the author, a sentence each.\n"
    "Take five minutes. Look for what could go wrong, and for whom. Say what you would have to "
    "know to believe the two claims. Any remark counts.",
    dict.fromkeys(("one", "two", "three"), str),
    hints=(
        "Follow one variable through the code. Who reads it last?",
        "A patch comes with a claim and a reason. Would you believe both without evidence?",
        "Who else calls the function that is changed?",
    ),
    solution=[
        "Is the explanation of 1/2 right? A page that was busy and moved in the end has no count.",
        "Other callers of migrate_pages() see a positive number, too; why mend it in one of them?",
        "2/2 overwrites rc with what the split returned, so other reasons get another error code.",
    ],
)

REMARKS = (
    (
        "Huang Ying",
        "1/2",
        "The explanation is not right: tries that succeed in the end return 0. A positive number "
        "with nothing left comes from a huge page that was split. And why does the pin make "
        "\N{NON-BREAKING HYPHEN}ENOMEM of every failure, instead of handing it on?",
        "1/2 was written anew",
    ),
    (
        "Alistair Popple",
        "1/2",
        "migrate_pages() itself should be mended, because move_pages(), a system call, sees the "
        "same false failure.",
        "from v2 on 1/2 is in migrate_pages()",
    ),
    (
        "Huang Ying",
        "2/2",
        "For callers other than a long-term pin the patch changes what migrate_pages() returns. "
        "Keep what the split returned in a variable of its own. And does the patch solve your "
        "problem?",
        "v2 has the variable; the author wrote that he would test it",
    ),
    (
        "Yang Shi",
        "2/2",
        "Count migrations by reason on machines with the patch and without it: that would show "
        "what it is good for.",
        "no such numbers came with v2 or v3",
    ),
)
"""Who said what of which patch of v1, in our words, and what became of it."""

said = Card(
    "Four remarks that were made on the list",
    still=lambda: frame(
        [rest for _, *rest in REMARKS],
        labels([name for name, *_ in REMARKS], "who"),
        ["on", "said", "what became of it"],
    ),
    needs=(remarks,),
)


# -- the first patch's explanation

ENDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "busy_moved": (
        "a huge page is free; busy twice, then moved whole (in `base`)",
        "base",
        {"targets": "available", "released": "2"},
    ),
    "split": ("none is free; split at once (in `base`)", "base", {"holder": 0}),
    "refused_split": ("none is free; refused twice, then split (in `v1`)", "v1", {"released": "2"}),
}

explain = Card(
    "Three runs in which everything has moved in the end: what does `migrate_pages()` return?\n"
    "Use the rule of lesson 04: each missing destination counts one. *Busy* and *refused* mean: "
    "because of a holder's reference.",
    dict.fromkeys(ENDS, (0, 1, 2, 3, 10)),
    labels={end: words for end, (words, *_) in ENDS.items()},
    outcome=lambda: {
        end: migrate_returns(run(version, **knobs))[-1] for end, (_, version, knobs) in ENDS.items()
    },
    because={
        "busy_moved": "a page that was busy and has moved in the end leaves no count",
        "split": "1 missing destination, before the split",
        "refused_split": "3 missing destinations: 2 before refused splits, 1 before the split",
    },
    hints=(
        "A page that was busy and moved in the end has not failed.",
        "A split is tried only if there is no destination, and that counts one.",
        "Two refusals and one split: three tries, each without a destination.",
    ),
    why="The reviewer is right. In base a busy move that succeeds in the end counts nothing, and a "
    "refused split ends the call. If nothing is left, a positive number comes from the missing "
    "destination of a huge page that was split. Only 2/2 adds a source of its own: the missing "
    "destination of a *refused split* that is tried again. That count stays. Keep it in mind for "
    "version 2.\n\n"
    "The change of 1/2 would have worked all the same: it asks whether anything is left. But a "
    "wrong explanation mends the wrong place. If `migrate_pages()` counts a success as a failure, "
    "*every* caller is misled. So v2 mends `migrate_pages()`.",
)


# -- the decision, for every reason and every end of a split

# What can be the matter with the huge page: nothing, one reference too many, something else.
SPLITS: dict[str, dict[str, Any]] = {
    "splits": {"holder": 0},
    "reference": {"holder": 1},
    "truncated": {"holder": 0, "trouble": "truncated"},
    "writeback": {"holder": 0, "trouble": "writeback"},
    "nomem": {"holder": 0, "trouble": "nomem"},
}
REASONS = {"longterm_pin": "a pin", "contig_range": "any other reason"}
STAYS = "stays"


def decided(version: str, reason: str, split: str) -> str:
    """What migrate_pages() does after the first try to split a huge page without a destination."""
    trace = run(version, reason=reason, passes=2, **SPLITS[split])
    way = count_flow(trace)
    if way.split:
        return "goes on"
    return STAYS if way.stayed else errno.name(migrate_returns(trace)[0])


def decisions(*versions: str) -> Frame:
    """Every reason and every result of a split; ≠: differs from base."""
    rows = {}
    for reason, word in REASONS.items():
        for split in SPLITS:
            base, *others = (decided(version, reason, split) for version in versions)
            rows[f"{word}: {split}"] = [base, *(c if c == base else f"≠ {c}" for c in others)]
    return frame(list(rows.values()), labels(rows, "caller, and the split"), versions)


CELLS = {
    "pin_reference": ("longterm_pin", "reference"),
    "pin_truncated": ("longterm_pin", "truncated"),
    "other_reference": ("contig_range", "reference"),
    "other_truncated": ("contig_range", "truncated"),
}

cells = Card(
    "A huge page has no destination and its split is refused: what does v1 do next?\n"
    "The caller is a *pin* or any *other*. The split was refused because of a *reference*, or "
    "because the page was *truncated*. For a truncated page the split returns `-EBUSY` in every "
    "version. `rc` is `-ENOMEM` when the split is tried.\n"
    "What happens: the page `stays` on the list for the next pass, or `migrate_pages()` ends at "
    "once and returns an error code.",
    dict.fromkeys(CELLS, (STAYS, "-ENOMEM", "-EAGAIN", "-EBUSY")),
    outcome=lambda: {name: decided("v1", *cell) for name, cell in CELLS.items()},
    why="The patch is about one cell, a pin whose split was refused because of a reference. Five "
    "more returned `-ENOMEM` in base and return something else in v1. A pin makes `-ENOMEM` of "
    "every failure, so it can't tell. But `migrate_pages()` has other callers. The system call "
    "`move_pages()` hands the code on to the program that made it.",
    still=lambda: decisions("base", "v1"),
    play=widget(
        "console",
        vfio_map("v1", reason="contig_range"),
        knobs=("reason", "holder", "trouble"),
        versions=VERSIONS,
    ),
)


# -- who notices? The owner of CMA memory

FILE = "s11_cma_alloc_return_value.csv"
MEMORY, NOTHING = "memory", "nothing"
OWNER_ASKED = {
    **dict.fromkeys(("base_refused", "v1_refused"), (1, 2, 5, 10)),
    **dict.fromkeys(("base_gets", "v1_gets"), (MEMORY, NOTHING)),
}
ASKED_PAGES = 7168


@cache
def owner_gets() -> dict[str, Any]:
    """How often a split is refused, and what the owner gets."""
    base, v1 = (cma_alloc(version).run() for version in ("base", "v1"))
    gets = [MEMORY if trace.results["owner"] >= 0 else NOTHING for trace in (base, v1)]
    return dict(zip(OWNER_ASKED, (refused(base), refused(v1), *gets), strict=True))


def measured_requests() -> Frame:
    """Measured requests for a piece of an area in which a page is held; of each kind there are
    several, with the same numbers."""
    wanted = {"code": "oct22", "alloc_mode": "inject", "held_ref": "1"}
    wanted["cma_alloc_pages"] = str(ASKED_PAGES)
    of = [load_csv(f"kernel-runs/{FILE}", variant=each, **wanted)[0] for each in VERSIONS]
    splits = [f"{int(row['d_thp_split_page_failed']):,}" for row in of]
    codes = [errno.name(int(row["write_errno"])) for row in of]
    what = f"{size_words(ASKED_PAGES)} of {size_words(AREA_PAGES)}"
    index = labels([f"{what}: refused splits", f"{what}: result"], "measured: the owner asks for")
    return frame([splits, codes], index, VERSIONS)


owner = Card(
    "The owner asks for 2 MiB: how often is a split refused, and what does the owner get?\n"
    "The area has two ranges of 2 MiB. In the first lies a huge page whose holder never lets go. "
    "The second is free. The huge page can't move into it, because here it must leave the whole "
    "area, and outside no huge page is free.",
    OWNER_ASKED,
    outcome=owner_gets,
    hints=("Which error code comes back in base, which one in v1? Which of them means stop?",),
    why="A real kernel did the same: Linux 6.1.192 in an emulated machine, with this loop written "
    "into it. The area had 256 MiB, and one held huge page lay in it. There a range begins at "
    "every *page*, so the held page lies in thousands of them. In v1 each of these costs five "
    "refusals.\n\n"
    "Is v1 not *better*, then? Perhaps, for this owner. But nobody decided it. `-ENOMEM` meant "
    '"stop" to this caller. Now it is told something else, and splits are refused 30,725 times on '
    "the way. If `cma_alloc()` should go on after a missing destination, that is a patch of its "
    "own, for the people who know `cma_alloc()`. A return value is a promise.",
    still=lambda: [measured_requests(), f"data/kernel-runs/{FILE}"],
)


# -- the hole of version 2


def judge_hole(answer: object) -> Verdict:
    """The pin of v2 fails, and nothing is left in CMA."""
    situation, trace = ran(answer, 'a situation: vfio_map("v2", ...)')
    if situation.version.name != "v2":
        return failed(f"that is {situation.version.name}; it should happen in v2")
    if situation.main != "pin":
        return failed("no pin")
    if pin_result(trace) == "pinned":
        return failed(f"{end_words(trace)}: no failing pin")
    vmstat = trace.last.world.vmstat
    if vmstat["pgmigrate_fail"] or not vmstat["pgmigrate_success"]:
        return failed(
            f"{end_words(trace)}: not everything has moved",
            "After a refusal the next pass begins with a question. What if it is answered "
            "otherwise this time?",
        )
    return passed(f"{end_words(trace)}, and nothing is left in CMA")


def hole_shown() -> list[Any]:
    """The hole in v1 and in v2."""
    runs = {name: vfio_map(name, targets="late", released=1) for name in ("v1", "v2")}
    rows = {f"{name}: refused once, then moved whole": each.run() for name, each in runs.items()}
    counted = counters_by_version(runs["v2"], ("v1", "v2"))
    counted = counted[~counted.index.str.startswith("nr_")]  # pinned, let go, pinned again
    return [tries_picture("All has moved, and only in v2 the pin fails", rows), counted]


hole = Card(
    "Write a situation in which the pin of v2 fails although everything has moved.",
    form='vfio_map("v2", ...)',
    judge=judge_hole,
    solution=vfio_map("v2", targets="late", released=1),
    hints=(
        "When does final_rc of v2 leave rc as it is, although the list is empty?",
        "The page has to be refused once, and must not be split afterwards. So it moves whole.",
        'targets="late": no huge page at the first request, one from then on. And the holder?',
    ),
    why="The refusal was counted as one failure, and that count stays. v2 returns 0 only if "
    "something *was split*. Here nothing was: the page moved whole. So `migrate_pages()` returns "
    "1, and the pin fails. v1 does not fall into the hole: its pin asks whether anything is left "
    "on the list.\n\n"
    "Alistair Popple asked why v2 looks for a split at all. v3 returns 0 whenever nothing is left. "
    "That the condition had this hole is our own observation; nobody in the "
    "discussion said so.",
    still=hole_shown,
)


# -- a test that states the contract


def tries_twice(attempt: Attempt) -> str:
    """A refused split is tried a second time, for every caller."""
    huge_and_held = attempt.what == HUGE_PAGE and attempt.code == "-EAGAIN"
    return TRY_AGAIN if huge_and_held and attempt.tries < 2 else attempt.usual


# It counts otherwise and tries otherwise, and tells every caller what base told it.
JUDGED = {name: get(name) for name in ("base", "v2", "v1")} | {
    "later": get("v3fix")._replace(policy=tries_twice)
}


def judge_regression(test: Any) -> Verdict:
    """Judged by running it on rows without their names: base, v2 and a later one pass, v1 fails."""
    if not callable(test):
        raise FormError("hand in the function itself")
    outcomes = {}
    for name, row in JUDGED.items():
        # Without its name a version is what it does.
        outcomes[name] = limited("test", test, row._replace(name="", title=""))
        if outcomes[name] is None and name == "base":
            return UNTOUCHED
        if not isinstance(outcomes[name], bool):
            said = shown(outcomes[name], 40, quoted=True)
            return failed(f"with {name} it returns {said}, not True or False")
        if name in ("base", "v2") and not outcomes[name]:
            return failed(f"{name} does not pass it, and should: it keeps the contract")
        if name == "v1" and outcomes[name]:
            return failed("v1 passes it, too: the test does not look at what v1 changed")
    if not outcomes["later"]:
        return failed(
            "it tells v1 from base and v2, but it also stops a kernel that keeps the contract. "
            "Which line looks at something that was promised to nobody?",
            second="that kernel returns -ENOMEM, as promised. It tries a refused split twice and "
            "counts anew. Your test looks at tries or counts; look at what the caller is told",
        )
    return passed("v1 fails; base, v2 and a kernel that tries and counts otherwise pass")


def keeps_the_contract(version: Any) -> bool:
    """A right answer: another caller is told -ENOMEM."""
    return bool(vfio_map(version, reason="contig_range").run().results["migrate"] == -12)


regression = Card(
    "Write a regression test for the contract: a function that takes a version and returns True if "
    "the contract is kept.\n"
    "`base` and `v2` pass it, `v1` fails. A fourth kernel keeps the contract, too, and does other "
    "things in its own way. It has to pass.",
    form=FUNCTION,
    judge=judge_regression,
    hints=(
        "Which sentence of the contract did v1 break? For which callers?",
        'Run vfio_map(version, reason="contig_range"): what is run.results["migrate"]?',
        'It is -12 (-ENOMEM) in base and has to stay that: return run.results["migrate"] == -12',
    ),
    solution=keeps_the_contract,
    why="A test says what may never change. Counting the refused splits of a `cma_alloc()` tells "
    "v1 from base as well. But such a test also forbids what nobody was promised. In April 2023 "
    "the count of failures was repaired: a split that is tried again had been counted twice. A "
    "test that asks for the old count would have stopped the repair.\n\n"
    'A reference is one cause of a refused split; `trouble="truncated"` is another that a test '
    "could try.",
)
