"""Lesson 08: review version 1, hear what the list said, then find the hole of version 2.

Interface: the picture posted; the cards recall, remarks, said, explain, cells, owner,
callers, code, promises, hole, regression; decided, decisions, and the names that the text fills
in."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from mmsim import errno
from mmsim.datafiles import load_csv
from mmsim.engine.trace import Trace
from mmsim.evidence.kernel_runs import AREA_PAGES
from mmsim.evidence.series import REMARKS, SERIES
from mmsim.evidence.tracer import migrate_returns
from mmsim.lessons.card import Card, checked, keyed
from mmsim.lessons.form import Choices, FormError, Verdict, failed, passed, ran
from mmsim.lessons.migrate_or_split import ended, flow, told, tries_picture
from mmsim.mm.policy import TRY_AGAIN
from mmsim.mm.versions import get
from mmsim.scenarios import cma_alloc, vfio_map
from mmsim.scenarios.policy import PolicyError, limited, own_policy
from mmsim.views.flow import taken
from mmsim.views.show import Shown
from mmsim.views.tables import counters_by_version
from mmsim.views.words import size_words

if TYPE_CHECKING:
    import pandas as pd

VERSIONS = ("base", "v1", "v2")


@cache
def run(version: str, **knobs: Any) -> Trace:
    """A run of the report's situation; a huge page of two pieces will do."""
    return vfio_map(version, **{"order": 1, **knobs}).run()


def refused(trace: Trace) -> int:
    """How often a split was refused."""
    return int(trace.last.world.vmstat["thp_split_page_failed"])


# -- recall, and the series as it was posted

recall = Card(
    "recall",
    "Three questions about lesson 04, from memory.",
    {
        "renamed": Choices(a="all", b="because of references", c="those of long-term pins"),
        "first": Choices(a="-ENOMEM", b="-EBUSY", c="1"),
        "two": Choices(
            a="one is for huge pages, one for single pages",
            b="trying again is of no use while a split page counts as a failure",
            c="one is for 6.1, one for 6.2",
        ),
    },
    labels={
        "renamed": "Which refused splits return `-EAGAIN` with the patch?",
        "first": "Base: no destination, and the split is refused. What does `migrate_pages()` "
        "return?",
        "two": "Why is there a companion patch?",
    },
    judge=keyed(
        {
            "renamed": ("b", "a split refused for another reason keeps its code"),
            "first": ("a", "a refused split ends the call with the error of the missing page"),
            "two": ("b", "the pin would fail even if all has moved"),
        }
    ),
    solution={"renamed": "b", "first": "a", "two": "b"},
    hints=("All three are in lesson 04.",),
)


def unbroken(text: str) -> str:
    """The same text, with error codes that are not broken behind their sign."""
    return text.replace("-E", "\N{NON-BREAKING HYPHEN}E")


def changes(version: str) -> pd.DataFrame:
    """What a version changed where in the kernel, in our own words, in the order of the series."""
    import pandas as pd

    rows = sorted((r for r in SERIES if version in r.versions), key=lambda row: row.patch)
    cells = [
        (f"{r.file} {r.function}", unbroken(r.before), unbroken(r.after), r.seam) for r in rows
    ]
    index = pd.Index([row.patch.partition(" ")[0] for row in rows], name="patch")
    return pd.DataFrame(cells, index, ["where", "before", "after", "in the model"])


posted = Shown(lambda: changes("v1"))


# -- the reviewer

LETTERS_MIN = 20


def judged_remarks(answer: dict[str, str]) -> Verdict:
    """Nothing is right or wrong, but three remarks are asked for."""
    texts = {" ".join(text.casefold().split()) for text in answer.values()}
    enough = sum(len(text) >= LETTERS_MIN for text in texts)
    if enough < len(answer):
        raise FormError(
            f"three different remarks of a sentence ({LETTERS_MIN} letters or more) each are asked "
            f"for, not {enough}"
        )
    return passed("noted; now compare with what the list said")


remarks = Card(
    "remarks",
    "Write three remarks for the author, a sentence each.\n"
    "Take five minutes. Look for what could go wrong, for whom, and for what you would have to "
    "know to believe the two claims. Nothing you write is wrong.",
    dict.fromkeys(("one", "two", "three"), str),
    judge=judged_remarks,
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


def list_said() -> pd.DataFrame:
    """Four remarks of reviewers on the first version, in our own words, with their Message-IDs."""
    import pandas as pd

    rows = [(r.on, unbroken(r.said), r.became, r.message_id) for r in REMARKS]
    heads = ["on", "said", "what became of it", "Message-ID"]
    return pd.DataFrame(rows, pd.Index([r.who for r in REMARKS], name="who"), heads)


said = Card("said", "Four remarks that were made on the list", still=list_said, needs=(remarks,))


# -- the first patch's explanation

ENDS: dict[str, tuple[str, dict[str, Any]]] = {
    "busy_moved": (
        "a huge page is free; busy twice, then moved whole",
        {"targets": "available", "released": "2"},
    ),
    "split": ("none is free; split at once", {"holder": 0}),
    "refused_split": ("none is free; refused twice, then split", {"released": "2"}),
    "refused_always": ("none is free; refused in every pass", {}),
}


def returns() -> dict[str, int]:
    """What migrate_pages() returns in v1."""
    return {end: migrate_returns(run("v1", **knobs))[-1] for end, (_, knobs) in ENDS.items()}


def return_told(end: str) -> str:
    """What the number is made of."""
    trace, found = run("v1", **ENDS[end][1]), returns()[end]
    rest = "the huge page that was split" if taken(trace).split else "giving up"
    why = f"{refused(trace)} for refused splits, {found - refused(trace)} for {rest}"
    why = why if found else "a page that was busy and has moved in the end leaves no count"
    return f"in v1 migrate_pages() returns {found}: {why}"


explain = Card(
    "explain",
    "Four ways in which a pin can go: what does `migrate_pages()` return in each, in v1?\n"
    "*Busy* and *refused* mean: because of a holder's reference.",
    dict.fromkeys(ENDS, (0, 1, 2, 3, 10, 11)),
    labels={end: words for end, (words, _) in ENDS.items()},
    outcome=returns,
    judge=checked(
        returns,
        lambda _, said: f"not {said}; what counts at a refusal, what at the end?",
        return_told,
        "tries alone leave nothing behind: a positive number comes from a split, or giving up",
    ),
    hints=(
        "A page that was busy and moved in the end has not failed.",
        "A huge page that is split has not been moved whole: that counts as one failure.",
        "Each refusal counts one failure, and the split one more.",
    ),
    why="So the reviewer was right. Trying several times is not what makes the number positive: "
    "the first case has three tries and returns 0, the second has a single one and returns 1.\n\n"
    "The change of 1/2 would have worked all the same: it asks whether anything is left. But a "
    "patch with a wrong explanation mends the wrong place. If `migrate_pages()` counts a success "
    "as a failure, *every* caller is misled, `move_pages()` too. So version 2 mends "
    "`migrate_pages()`.",
)


# -- every cell of the decision

# What can be the matter with the huge page: nothing, one reference too many, something else.
SPLITS: dict[str, dict[str, Any]] = {
    "splits": {"holder": 0},
    "reference": {"holder": 1},
    "truncated": {"holder": 0, "trouble": "truncated"},
    "writeback": {"holder": 0, "trouble": "writeback"},
    "no nodes": {"holder": 0, "trouble": "nomem"},
}
REASONS = {
    "longterm_pin": "pin",
    "contig_range": "other",
    "numa_misplaced": "NUMA balancing",
}
STAYS = "stays"


def decided(version: str, reason: str, split: str) -> str:
    """What migrate_pages() does after the first try to split a huge page without a destination."""
    trace = run(version, reason=reason, passes=2, **SPLITS[split])
    way = taken(trace)
    if way.split:
        return "goes on"
    return STAYS if way.stayed else errno.name(migrate_returns(trace)[0])


def decisions() -> pd.DataFrame:
    """Every reason and every result of a split, in every version; ≠: differs from base."""
    import pandas as pd

    rows = {}
    for reason, word in REASONS.items():
        for split in SPLITS:
            base, *others = (decided(version, reason, split) for version in VERSIONS)
            rows[word, split] = [base, *(c if c == base else f"≠ {c}" for c in others)]
    index = pd.MultiIndex.from_tuples(rows, names=["for whom", "the split"])
    return pd.DataFrame(list(rows.values()), index, VERSIONS)


CELLS = {
    f"{version}_{word}_{split}": (version, reason, split)
    for word, reason, split in (
        ("pin", "longterm_pin", "reference"),
        ("pin", "longterm_pin", "truncated"),
        ("other", "contig_range", "reference"),
    )
    for version in ("v1", "v2")
}


def console() -> Any:
    """The knobs beside the way of the run."""
    from mmsim.widgets import console

    return console(vfio_map("v1"), knobs=("reason", "holder", "trouble"), versions=VERSIONS)


cells = Card(
    "cells",
    "A huge page has no destination and its split is refused: what does `migrate_pages()` do "
    "next?\n"
    "It works for a pin or for any other reason. The split was refused because of a reference, or "
    "because the page was truncated. The page stays on the list for the next pass, or the call "
    "ends at once and returns a code.",
    dict.fromkeys(CELLS, (STAYS, "-ENOMEM", "-EAGAIN", "-EBUSY")),
    outcome=lambda: {name: decided(*cell) for name, cell in CELLS.items()},
    why="One cell of v2 differs from base: the one that the patch is about. In v1 five more do. "
    "Nobody asked for those.",
    still=lambda: [decisions(), flow(run("v1", reason="contig_range"))],
    play=console,
)


# -- who notices? The owner of CMA memory

FILE = "s11_cma_alloc_return_value.csv"
MEMORY, NOTHING = "memory", "nothing"


@cache
def owner_gets() -> dict[str, Any]:
    """How often migrate_pages() is called for the owner, and what the owner gets."""
    found: dict[str, Any] = {}
    for version in ("base", "v1"):
        trace = cma_alloc(version).run()
        names = [event.op.kind.name for event in trace.events]
        found[f"{version}_calls"] = names.count("trace_mm_migrate_pages")
        found[f"{version}_gets"] = MEMORY if trace.results["owner"] >= 0 else NOTHING
    return found


def measured_requests() -> pd.DataFrame:
    """Measured requests for a smaller and a larger piece of an area in which a page is held.

    Several runs of one kind give the same numbers, or the table would say so."""
    import pandas as pd

    rows = load_csv(f"kernel-runs/{FILE}")
    found: dict[str, list[str]] = {}
    for pages in ("7168", "63488"):
        ends: tuple[list[str], list[str]] = ([], [])
        for version in VERSIONS:
            wanted = {"code": "oct22", "alloc_mode": "inject", "held_ref": "1"}
            wanted |= {"cma_alloc_pages": pages, "variant": version}
            here = [row for row in rows if wanted.items() <= row.items()]
            splits = dict.fromkeys(f"{int(row['d_thp_split_page_failed']):,}" for row in here)
            codes = dict.fromkeys(errno.name(int(row["write_errno"])) for row in here)
            ends[0].append(" or ".join(splits))
            ends[1].append(" or ".join(codes))
        what = f"{size_words(int(pages))} of {size_words(AREA_PAGES)}"
        found |= {f"{what}: refused splits": ends[0], f"{what}: result": ends[1]}
    return pd.DataFrame(found, VERSIONS).T.rename_axis("measured: the owner asks for")


owner = Card(
    "owner",
    "The owner asks for 2 MiB: how often is `migrate_pages()` called, and what does the owner "
    "get?\n"
    "The area has two pageblocks of 2 MiB each. In the first lies a huge page that somebody holds. "
    "The second is free.",
    {
        **dict.fromkeys(("base_calls", "v1_calls"), (1, 5, 6, 10)),
        **dict.fromkeys(("base_gets", "v1_gets"), (MEMORY, NOTHING)),
    },
    outcome=owner_gets,
    why="In v1 the first range takes five calls. The second range is free, and one more call gets "
    "an empty list.\n\n"
    "A real kernel did the same, with an area of 256 MiB and one held huge page in it. There "
    "the ranges begin at every *page*, so there are thousands of them. In v1 each that fails costs "
    "five refusals. 2,049 ranges of 248 MiB fit into the area, and all failed; of those of 28 MiB "
    "6,145 failed before one went through.\n\n"
    "Is v1 not *better*, then? Perhaps, for this owner. But nobody decided it. `-ENOMEM` meant "
    '"stop" to this caller. Now it is told something else, and splits are refused 30,725 times on '
    "the way. If `cma_alloc()` should go on after a missing destination, that is a patch of its "
    "own, for the people who know `cma_alloc()`. A return value is a promise.",
    still=lambda: [
        counters_by_version(cma_alloc(), VERSIONS).drop("owner gets"),
        measured_requests(),
    ],
)


# -- the other callers

CALLERS = {
    "pin": ("a long-term pin", "longterm_pin"),
    "move_pages": ("`move_pages()`, the system call", "syscall"),
    "numa": ("NUMA balancing", "numa_misplaced"),
}


def what_it_gets(caller: str, version: str) -> str:
    """What a caller is told when a split is refused because of a reference that stays."""
    trace = run(version, reason=CALLERS[caller][1])
    return str(trace.scenario.result(trace.last))  # type: ignore[attr-defined]


def differs() -> dict[str, bool]:
    """Does a caller get something else from v1 than from base?"""
    return {
        caller: what_it_gets(caller, "base") != what_it_gets(caller, "v1") for caller in CALLERS
    }


callers = Card(
    "callers",
    "Which of these callers gets something else from v1 than from base?",
    dict.fromkeys(CALLERS, bool),
    labels={caller: words for caller, (words, _) in CALLERS.items()},
    outcome=differs,
    judge=checked(
        differs,
        lambda *_: "what does v1 return to it, and what does it make of that?",
        lambda name: (
            f"base gives {what_it_gets(name, 'base')}, v1 gives {what_it_gets(name, 'v1')}"
        ),
        "move_pages() is told something else, like the owner; neither had asked for it",
    ),
    hints=(
        "Which cell of the decision table does each one meet? And does it pass the code on?",
        "v1 changed the code for refused splits only.",
    ),
    why='A common mistake: "the pin looked at every error in the same way, so the error did not '
    'matter". It did not matter *to the pin*. A function has the callers that it has.',
)


# -- why a code of its own


@cache
def always_again() -> Trace:
    """A split without memory for it, under a version that tries again after every refusal."""
    row = own_policy(lambda attempt: TRY_AGAIN)
    return vfio_map(row, holder=0, trouble="nomem", order=1).run()


def always_ends() -> dict[str, Any]:
    """How that run ends."""
    return {"refused": refused(always_again()), "pin": ended(always_again())}


code = Card(
    "code",
    "Suppose every refused split were tried again, whatever its code: how many are refused, and "
    "what does the pin come to?\n"
    "Nobody holds the page. There is no memory for the page cache's records (*no nodes*), and "
    "there will be none.",
    {"refused": (0, 1, 2, 9, 10, 11), "pin": ("pinned", "-EAGAIN", "-EBUSY", "-ENOMEM")},
    outcome=always_ends,
    judge=checked(
        always_ends,
        lambda *_: "what has changed when the split is tried again, and when is the end?",
        lambda part: f"{always_ends()[part]}; nothing changes between two passes",
        "and the same error as after the first refusal: trying again can't help here",
    ),
    hints=(
        "Does it help to ask again, at once, for memory that is not there?",
        "It is refused in every one of the ten passes.",
    ),
    why="An error code says what may help. A truncated page stays so, memory that is missing does "
    "not turn up at once, and writeback takes its time: `-EBUSY` and `-ENOMEM` stand for those. "
    "`-EAGAIN` means one thing: the same call may work in a moment. The split says which of the "
    "two it is, and the caller decides.\n\n"
    "Why only for long-term pins? The patch says no more than that it wants to make *their* "
    "failure less likely. What can be said for it: to a pin a failure is final, the virtual "
    "machine does not start, while a system call that failed can be made again.",
)


# -- what v2 promises

PROMISES: dict[str, tuple[str, str]] = {
    "soon": (
        "No huge page ever becomes free: then a reference that is gone before the tenth attempt "
        "does not make the pin fail.",
        "ten passes look ten times; the first that finds it gone splits the page",
    ),
    "longer": (
        "A reference that stays longer than ten attempts is waited for.",
        "no reference is waited for: ten refusals at once, and the pin fails",
    ),
    "pieces": (
        "Once the page is split, its pieces are tried again as well.",
        "a piece has one pass in every version; one held piece fails the pin",
    ),
    "truncated": (
        "A page that has been truncated is not tried again.",
        "its split is refused with -EBUSY, and only -EAGAIN is tried again",
    ),
    "proof": (
        "The author showed with numbers that the reported failure is gone.",
        "he said it would be tested; no success rate was published",
    ),
}


def holds(name: str) -> bool:
    """What the model says of a statement; `proof` is not about the model."""
    if name == "soon":
        return all(ended(run("v2", released=str(k))) == "pinned" for k in range(1, 10))
    if name == "longer":
        return ended(run("v2")) == "pinned"
    if name == "pieces":
        return ended(run("v2", taken="0.move_freeze")) == "pinned"
    return name == "truncated" and refused(run("v2", holder=0, trouble="truncated")) == 1


def all_hold() -> dict[str, bool]:
    """Which promises v2 keeps."""
    return {name: holds(name) for name in PROMISES}


promises = Card(
    "promises",
    "What does version 2 promise? True or false?",
    dict.fromkeys(PROMISES, bool),
    labels={name: words for name, (words, _) in PROMISES.items()},
    outcome=all_hold,
    judge=checked(
        all_hold,
        lambda *_: "what would v2 have to do for that?",
        lambda name: f"{str(holds(name)).lower()}; {PROMISES[name][1]}",
        "two promises; the rest it does not make",
    ),
    hints=(
        "How many attempts does a piece get? What did the author answer when he was asked?",
        "Two of the five are true.",
    ),
    why="\n\n".join(f"`{name}`: {why}." for name, (_, why) in PROMISES.items()),
)


# -- its hole


def judged_hole(answer: object) -> Verdict:
    """The pin of v2 fails, and nothing is left in CMA."""
    mine = ran(answer)
    if mine is None:
        raise FormError('the answer should be a situation: vfio_map("v2", ...)')
    situation, trace = mine
    if situation.version.name != "v2":
        return failed(f"that is {situation.version.name}; it should happen in v2")
    vmstat = trace.last.world.vmstat
    if situation.main != "pin" or ended(trace) == "pinned":
        return failed(f"{told(trace)}: no failing pin" if situation.main == "pin" else "no pin")
    if vmstat["pgmigrate_fail"] or not vmstat["pgmigrate_success"]:
        return failed(
            f"{told(trace)}: not everything has moved",
            "After a refusal the next pass begins with a question. What if it is answered "
            "otherwise this time?",
        )
    return passed(f"{told(trace)}, and nothing is left in CMA")


def hole_shown() -> list[Any]:
    """The hole in v1 and in v2."""
    rows = {
        f"Refused once, then a huge page is free: {version}": vfio_map(
            version, targets="late", released=1
        ).run()
        for version in ("v1", "v2")
    }
    counted = counters_by_version(vfio_map(targets="late", released=1), ("v1", "v2"))
    return [tries_picture("The same way, and only v2 lets the pin fail", rows), counted]


hole = Card(
    "hole",
    "Write a situation in which the pin of v2 fails although everything has moved.",
    form='vfio_map("v2", ...)',
    judge=judged_hole,
    solution=vfio_map("v2", targets="late", released=1),
    hints=(
        "When does final_rc of v2 leave rc as it is, although the list is empty?",
        "The page has to be refused once, and must not be split afterwards. So it moves whole.",
        'targets="late": no huge page at the first request, one from then on. And the holder?',
    ),
    why="The first refusal was counted as one failure, and that count stays. v2 returns 0 only if "
    "something *was split*. Here nothing was: the page moved whole. So `migrate_pages()` returns "
    "1, and the pin fails. v1 does not fall into the hole: its pin asks whether anything is left "
    "on the list.\n\n"
    "A reviewer of v2 asked why the condition was needed at all. Version 3 dropped it. That the "
    "condition had this hole is our own observation; nobody in the discussion said so.",
    still=hole_shown,
)


# -- a test that tells the versions apart

UNTOUCHED = Verdict("not attempted", "the function returns nothing yet")


def judged_regression(test: Any) -> Verdict:
    """Judged by running it on rows without their names: base and v2 pass, v1 fails."""
    if not callable(test):
        raise FormError("hand in the function itself")
    outcomes = {}
    for name in ("base", "v2", "v1"):
        try:
            # Without its name a version is what it does.
            outcomes[name] = limited("test", test, get(name)._replace(name="", title=""))
        except PolicyError as error:
            return failed(str(error))
        if outcomes[name] is None and name == "base":
            return UNTOUCHED
        if not isinstance(outcomes[name], bool):
            return failed(f"with {name} it returns {outcomes[name]!r:.40}, not True or False")
        if name != "v1" and not outcomes[name]:
            return failed(f"{name} does not pass it, and should: it keeps what others rely on")
    if outcomes["v1"]:
        return failed("v1 passes it, too: the test does not look at what v1 changed")
    return passed("v1 fails, base and v2 pass")


def keeps_the_code(version: Any) -> bool:
    """A right answer: the owner of CMA memory still gets -ENOMEM for a missing destination."""
    return bool(vfio_map(version, reason="contig_range").run().results["migrate"] == -12)


regression = Card(
    "regression",
    "Write a regression test: a function that takes a version and returns True if callers other "
    "than the pin get what they could always expect.\n"
    "`base` and `v2` pass it, `v1` fails. The judge hides the versions' names from you.",
    form="your_function",
    judge=judged_regression,
    hints=(
        "For which callers did v1 change something? The pin is not one of them.",
        'Run vfio_map(version, reason="contig_range"): what is run.results["migrate"]?',
        'It is -12 (-ENOMEM) in base and has to stay that: return run.results["migrate"] == -12',
    ),
    solution=keeps_the_code,
)
