"""Lesson 04: a huge page that has to leave CMA is migrated, or split and migrated.

Interface: the picture ten_or_one; the cards leaves, four, pair, order, counted, rescues, returned,
companion, measured, posttest; ended, flow, told, tries_picture."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from mmsim import errno
from mmsim.constants import REPORTED
from mmsim.engine.trace import Trace
from mmsim.evidence.ftrace import align, real_trace
from mmsim.evidence.tracer import migrate_returns
from mmsim.lessons.card import Card, checked, keyed
from mmsim.lessons.form import FormError, Verdict, counters_of, failed, passed, ran
from mmsim.lessons.the_report import QUESTIONS
from mmsim.mm.world import AVAILABLE, NONE
from mmsim.scenarios import SCENARIOS, vfio_map
from mmsim.views.flow import flow_picture, taken
from mmsim.views.show import Picture, Shown, Table, moment
from mmsim.views.svg import INK, LINE, MARKED, PANEL, TITLE, Svg
from mmsim.views.tables import PIN, RETURNS, alignment, counters_by_version

if TYPE_CHECKING:
    import pandas as pd

VERSIONS = ("base", "v1", "v2")
PASSES = int(vfio_map().knobs["passes"])


@cache
def run(version: str = "base", **knobs: Any) -> Trace:
    """A run of the lesson's situation."""
    return vfio_map(version, **knobs).run()


def ended(trace: Trace) -> str:
    """ "pinned", or the error of the pin."""
    result: int = trace.results["pin"]
    return "pinned" if result > 0 else errno.name(result)


def flow(trace: Trace) -> Picture:
    """The way that a run took, as a flow chart."""
    return flow_picture(trace)


# -- the picture of the lesson: what is tried in each pass


def tries(trace: Trace) -> list[str]:
    """What became of one huge page in each pass in which it was tried."""
    way = taken(trace)
    split = ["split refused"] * way.refused + ["split"] * way.split
    return split + ["busy"] * way.busy + ["moved"] * way.moved


def tries_picture(title: str, rows: Mapping[str, Trace]) -> Picture:
    """A row for each run and a box for each pass: empty where nothing was tried."""
    told = {name: tries(trace) for name, trace in rows.items()}
    words = ". ".join(
        f"{name}, in {len(found)} of {PASSES} passes, at last {found[-1]}; {ended(rows[name])}"
        for name, found in told.items()
    )
    left, box, high, wide = 300.0, 46.0, 52.0, 940.0
    svg = Svg(wide, 92 + high * len(rows), title, f"{words}.")
    svg.text(18, 32, title, wide - 36, size=TITLE, bold=True)
    svg.note(18, 60, "pass", 60)
    for number in range(PASSES):
        x = left + number * box
        svg.note(x + box / 2 - 2, 60, f"{number}", 30, anchor="middle")
    for place, (name, found) in enumerate(told.items()):
        y = 70 + high * place
        what, _, how = name.partition(": ")
        svg.text(18, y + 18, what, left - 26, bold=True)
        svg.note(18, y + 35, how, left - 26)
        for number in range(PASSES):
            x, tried = left + number * box, number < len(found)
            ground, edge = (MARKED, INK) if tried else (PANEL, LINE)
            svg.rect(x, y, box - 5, high - 12, fill=ground, stroke=edge, rx=4)
            if tried:
                good = found[number] in ("split", "moved")
                svg.outcome_mark(x + 20, y + 20, "success" if good else "failure", "", 16)
        end = ended(rows[name])
        sign = "success" if end == "pinned" else "failure"
        svg.outcome_mark(left + PASSES * box + 18, y + 20, sign, end, 130)
    return Picture(svg.render(), f"{title}. {words}.")


# -- a huge page is free, or none is

LEAVES = {
    "free": ("a huge page is free", "base tries to move the page", AVAILABLE),
    "none": ("no huge page is free", "base tries to split the page", NONE),
}


def leaving(released: object) -> dict[str, Trace]:
    """Both runs of base, with a holder that lets go before that pass."""
    return {
        name: run(targets=targets, released=released, order=1)
        for name, (*_, targets) in LEAVES.items()
    }


def leaving_picture(released: object) -> Picture:
    """What is tried in each pass, if the holder lets go before pass `released`."""
    title = f"The same page, and a holder that lets go before pass {released}"
    if released == "never":
        title = "The same page, the same reference: ten tries, or one"
    rows = {}
    for name, trace in leaving(released).items():
        words, doing, _ = LEAVES[name]
        rows[f"{words.capitalize()}: {doing}"] = trace
    return tries_picture(title, rows)


ten_or_one = Shown(lambda: leaving_picture("never"))


def leaving_slider() -> Any:
    """The same with a knob for the holder."""
    from mmsim.widgets.console import knobs_beside

    known = [knob for knob in SCENARIOS["vfio_map"].knobs if knob.name == "released"]
    return knobs_beside(
        vfio_map(order=1, released=3), known, lambda s: leaving_picture(s.knobs["released"])
    )


def leaving_outcome() -> dict[str, Any]:
    """How often base tries, and whether the page leaves CMA."""
    found: dict[str, Any] = {}
    for name, trace in leaving(3).items():
        found[f"{name}_tries"] = len(tries(trace))
        found[f"{name}_leaves"] = bool(trace.last.world.vmstat["pgmigrate_success"])
    return found


leaves = Card(
    "leaves",
    "In base the holder lets go before pass 3: how often is the page tried, and does it leave "
    "CMA?\nPasses are counted from 0.",
    {
        "free_tries": (1, 3, 4, PASSES),
        "free_leaves": bool,
        "none_tries": (1, 3, 4, PASSES),
        "none_leaves": bool,
    },
    labels={
        f"{name}_{part}": f"{words}: {asked}"
        for name, (words, *_) in LEAVES.items()
        for part, asked in (("tries", "tries"), ("leaves", "the page leaves CMA"))
    },
    outcome=leaving_outcome,
    why="The move is busy in passes 0, 1 and 2, and succeeds in pass 3. The refused split is never "
    "tried again, so it does not help that the holder goes.",
    still=lambda: leaving_picture(3),
    play=leaving_slider,
)


# -- one question decides the way

FOUR = {
    "free_nobody": ("a huge page is free, nobody holds the page", AVAILABLE, 0),
    "free_holder": ("a huge page is free, a holder never lets go", AVAILABLE, 1),
    "none_nobody": ("none is free, nobody holds the page", "none", 0),
    "none_holder": ("none is free, a holder never lets go", "none", 1),
}


def four_runs() -> dict[str, Trace]:
    """The four situations in base."""
    return {name: run(targets=free, holder=held) for name, (_, free, held) in FOUR.items()}


def console() -> Any:
    """The knobs of the situation beside the way that its run takes."""
    from mmsim.widgets import console

    knobs = ("targets", "holder", "released", "trouble")
    return console(vfio_map(), knobs=knobs, versions=VERSIONS)


four = Card(
    "four",
    "What does `thp_migration_fail` say at the end of each of these runs, in base?\n"
    "It goes up when a huge page could not be moved *as it is*.",
    dict.fromkeys(FOUR, (0, 1, 2, PASSES)),
    labels={name: words for name, (words, *_) in FOUR.items()},
    outcome=lambda: {name: counters_of(t)["thp_migration_fail"] for name, t in four_runs().items()},
    why="*A huge page is free, a holder:* the move fails in each of the ten passes, and is counted "
    "once, after the last. Keep in mind that a move is not counted while it is tried again. **No "
    "split is tried.** In Linux 6.1 only a missing destination leads to a split.\n\n"
    "*None is free, nobody:* the page could not be moved as it is, so a split that succeeds still "
    "counts as one failed migration. Keep this in mind, too.\n\n"
    "In the chart the way of a run is bold, with the number of times.",
    still=lambda: [flow(four_runs()["none_nobody"]), flow(four_runs()["none_holder"])],
    play=console,
)


def told(trace: Trace) -> str:
    """How a run ended, with its counters."""
    moved = {name: n for name, n in trace.last.world.vmstat.items() if n and "foll" not in name}
    counters = ", ".join(f"{name} {n}" for name, n in moved.items())
    return f"that run ends with {ended(trace)} and {counters or 'no counter moved'}"


def judged_pair(answer: object) -> Verdict:
    """The reported counters, both of them, by a failing pin, and nobody holds a reference."""
    mine = ran(answer)
    if mine is None:
        raise FormError("the answer should be a situation: vfio_map(...) with knobs of your choice")
    situation, trace = mine
    if situation.knobs["targets"] == AVAILABLE:
        return failed("with a free huge page elsewhere no split is tried")
    if set(counters_of(trace).values()) != {1} or ended(trace) == "pinned":
        return failed(told(trace))
    if situation.knobs["holder"]:
        return failed(f"{told(trace)}: the pair, but with a holder; find one without")
    return passed(f"{told(trace)}, and nobody held a reference")


pair = Card(
    "pair",
    "Write a situation that gives the reported pair, `thp_migration_fail` 1 and "
    "`thp_split_page_failed` 1, and a pin that fails: *without* a holder.",
    form="vfio_map(...)",
    judge=judged_pair,
    hints=(
        "Lesson 00 had suspects that need no holder.",
        "holder=0, and something else is the matter with the page: the knob trouble.",
        "trouble can be truncated, nomem or writeback; one of them is not counted as a refused "
        "split.",
    ),
    solution=vfio_map("base", holder=0, trouble="truncated"),
)


# -- the steps of a split, in order

# Step of the exercise -> what it is called in the model, what it does, why it stands where it does.
STEPS = {
    "check": ("can_split_folio", "the references are counted", "if the answer is no, nothing has "
              "been changed yet"),
    "cut": ("__split_huge_page", "the page is cut into 512", "only now can each piece safely get a "
            "count of its own"),
    "freeze": ("folio_ref_freeze", "all references are claimed at once", "from here on nobody can "
               "take a reference"),
    "lock": ("folio_lock", "the page's own lock is taken", "nobody else may move, cut or truncate "
             "the page meanwhile"),
    "pin": ("", "a long-term pin is taken", "a pin is one more reference, and would make the split "
            "impossible"),
    "unlock": ("folio_unlock", "the lock is given back", "the pieces can be moved"),
    "unmap": ("unmap_folio", "the mappings are removed", "a mapping is a reference, and nobody may "
              "use the page while it is cut"),
    "wait": ("", "the kernel sleeps until the holder lets go", "no version waits for a reference "
             "to go; they look again at once or give up"),
}  # fmt: skip
PLACES = ("first", "second", "third", "fourth", "fifth", "sixth")


def split_order() -> list[str]:
    """The steps of a split that succeeds, in the order of the model's run."""
    called = {name: step for step, (name, *_) in STEPS.items()}
    return [
        called[event.op.kind.name]
        for event in run(holder=0, order=1).events
        if event.op.kind.name in called
        and any(frame.function == "try_split_thp" for frame in event.where)
    ]


def judged_order(answer: dict[str, str]) -> Verdict:
    """A Parsons problem with two distractors."""
    right = split_order()
    for number, (place, step) in enumerate(answer.items()):
        if step not in right:
            return failed(f"{step!r} is not part of a split: {STEPS[step][2]}")
        if step != right[number]:
            done = ", ".join(right[:number]) or "nothing"
            why = f"the {place} step is not {step!r}; what belongs there comes first: "
            return failed(f"{why}{STEPS[right[number]][2]}", f"Done so far: {done}.")
    return passed("this is the order of the model's run")


order = Card(
    "order",
    "Put the six steps of a split that succeeds into order; two of the eight don't belong.\n"
    + "\n\n".join(f"`{step}`: {what}" for step, (_, what, _) in STEPS.items()),
    dict.fromkeys(PLACES, tuple(STEPS)),
    judge=judged_order,
    solution=["lock", "check", "unmap", "freeze", "cut", "unlock"],
    why=lambda: "\n\n".join(f"`{step}`: {STEPS[step][2]}." for step in split_order()),
    hints=(
        "Six of the eight steps happen. Which two would make things worse?",
        "Nobody may touch the page while it is cut: the mappings go, then all references at once.",
        "lock, check, unmap, freeze, cut, unlock",
    ),
)


# -- the check and the freeze


def at_the_check() -> dict[str, int]:
    """How many references there are, and how many are explained."""
    trace = run()
    (page,) = trace.state(trace.find("can_split_folio")).world.folios.values()
    return {"there": page.refcount, "explained": page.cache_refs + page.mapcount + 1}


def stepper() -> Any:
    """The run in the stepper."""
    from mmsim.widgets import stepper

    return stepper(vfio_map(), versions=VERSIONS)


counted = Card(
    "counted",
    "The check counts the references on the huge page: how many are there, and how many can the "
    "kernel explain?\n"
    "The page is mapped once and isolated, and the holder has its reference.",
    dict.fromkeys(("there", "explained"), (512, 513, 514, 515, 516)),
    labels={"there": "references on the page", "explained": "references that are explained"},
    outcome=at_the_check,
    why="512 of the page cache, 1 mapping, 1 isolation: those are explained. The holder's is one "
    "too many, so the split is refused at the check. Nothing has changed by then.\n\n"
    "A refusal at the freeze leaves a trace: the mappings are gone. The kernel restores them only "
    "for memory of no file (*anonymous* memory). Our page belongs to a memfd, which is a file, so "
    "the guest's next access faults and finds the page in the page cache.",
    still=lambda: moment(run(), run().find("can_split_folio")),
    play=stepper,
)

# -- the patch

# When the holder leaves.
RESCUES: dict[str, tuple[str, dict[str, Any]]] = {
    "before_1": ("the holder leaves before pass 1", {"released": 1}),
    "before_3": ("the holder leaves before pass 3", {"released": 3}),
    "never": ("the holder never leaves", {}),
}


def rescue(case: str) -> Trace:
    """The run of a case; a small huge page will do, for all that is counted here in huge pages."""
    return run("v2", order=1, **RESCUES[case][1])


def rescue_fails() -> dict[str, int]:
    """What v2 counts in each case."""
    return {case: counters_of(rescue(case))["thp_migration_fail"] for case in RESCUES}


def rescue_told(case: str) -> str:
    """What the count of a case is made of."""
    found, refused = counters_of(rescue(case)).values()
    last = "the page that was split" if taken(rescue(case)).split else "giving up"
    return f"v2 counts {found}, {refused} for refused splits and 1 for {last}"


def rescues_shown() -> Picture:
    """The passes of v2 in each case."""
    rows = {f"{words.capitalize()}: v2": rescue(case) for case, (words, _) in RESCUES.items()}
    return tries_picture("v2 looks again in every pass", rows)


rescues = Card(
    "rescues",
    "What does `thp_migration_fail` say at the end of each of these runs, in v2?\n"
    "No huge page is free. The three events stand above.",
    dict.fromkeys(RESCUES, (1, 2, 3, 4, 9, 10, 11)),
    labels={case: words for case, (words, _) in RESCUES.items()},
    outcome=rescue_fails,
    judge=checked(
        rescue_fails,
        lambda _, said: f"not {said}; what is counted at each refusal, what at the end?",
        rescue_told,
        "one for each refused attempt, and one for the split or for giving up",
    ),
    hints=(
        "A split that succeeds counts one failed migration too.",
        "Each refused attempt before it counts one more.",
        "Before pass 3: refused in passes 0, 1 and 2, split in pass 3.",
    ),
    why="A holder that never leaves gives ten refusals and eleven failures. A busy *move* is not "
    "counted while it is tried again; a refused split is. That is a flaw of the patch, repaired "
    "later (lesson 09).",
    still=rescues_shown,
)


# -- the companion


def free_way(*versions: str) -> dict[str, Any]:
    """What comes of a pin if no huge page is free and nobody is in the way."""
    found: dict[str, Any] = {}
    for version in versions:
        trace = run(version, holder=0, order=1)
        found[f"{version}_returns"] = migrate_returns(trace)[-1]
        found[f"{version}_pinned"] = ended(trace) == "pinned"
    return found


ASKED = {"returns": "`migrate_pages()` returns", "pinned": "the pin succeeds"}

returned = Card(
    "returned",
    "All pieces have moved: what does `migrate_pages()` return in base, and does the pin succeed?",
    {"base_returns": (0, 1, 512), "base_pinned": bool},
    labels={f"base_{part}": words for part, words in ASKED.items()},
    outcome=lambda: free_way("base"),
    why="The pin of base fails *although everything moved*. The huge page that was split counts as "
    "one failure. So the number is not 0, and the pin gives up. Trying again alone would be of no "
    "use to this pin.\n\n"
    "In base, then, *every* pin that needs a split fails. Why did the failure not come each time? "
    "A split is needed only if no huge page can be had outside CMA. And a call that fails leaves "
    "the pieces outside CMA, so the same call can succeed when it is made again.",
    still=lambda: flow(run(holder=0)),
)


def companions() -> list[Any]:
    """What is returned with nobody in the way, and with a holder that never leaves."""
    return [
        "Nobody holds the page:",
        counters_by_version(vfio_map(holder=0), VERSIONS),
        "A holder never lets go:",
        counters_by_version(vfio_map(order=1), VERSIONS).loc[[RETURNS, PIN]],
    ]


companion = Card(
    "companion",
    "The same run in v1 and in v2: what does `migrate_pages()` return, and does the pin succeed?\n"
    "Nobody holds the page, no huge page is free, the split succeeds, and all 512 pieces move.",
    {
        f"{version}_{part}": (0, 1, 512) if part == "returns" else bool
        for version in ("v1", "v2")
        for part in ASKED
    },
    labels={f"{v}_{part}": f"{v}: {words}" for v in ("v1", "v2") for part, words in ASKED.items()},
    outcome=lambda: free_way("v1", "v2"),
    why="v1 still returns a positive number. Its pin gives up only at a negative number, or if a "
    "page is left on the list: here neither is so. v2 returns 0, so its pin needs no new rule.\n\n"
    "With a holder that never lets go, the page is left on the list. Then the pin fails in both.",
    still=companions,
    hints=(
        "v1 changes nothing in migrate_pages(). What did base return?",
        "v1: is the number negative? Is a page left on the list?",
        "v2: was a huge page split, and is the list empty?",
    ),
)


# -- a real kernel

LINES = (5, 7, 11, 22)
"""The lines to look at: the count, what the split said, what was returned, and the counter."""


@cache
def aligned() -> tuple[Any, ...]:
    """The trace of a measured pin of base beside the model's run, line by line."""
    return tuple(align(real_trace("S3_held_base_retfix1.txt"), run()))


def measured_counters() -> pd.DataFrame:
    """The counters of the report after a pin of a page that is held for ever."""
    import pandas as pd

    rows = {}
    for version in VERSIONS:
        real, model = real_trace(f"S3_held_{version}_retfix1.txt").delta, counters_of(run(version))
        rows[f"{version} with a companion"] = [
            n for name in REPORTED for n in (real[name], model[name])
        ]
    heads = [f"{name}, {side}" for name in REPORTED for side in ("measured", "model")]
    return pd.DataFrame(rows, index=heads).T.rename_axis("version")


def measured_shown() -> list[Any]:
    """The counters, and a trace: four of its lines, and all of them."""
    lines = alignment(aligned())
    return [
        measured_counters(),
        "Four lines of what the first of these kernels said on the way (reason 7 is "
        "MR_LONGTERM_PIN):",
        lines.iloc[[line - 1 for line in LINES]],
        Table(lines, f"All {len(lines)} lines; they agree with the model's"),
    ]


measured = Card(
    "measured",
    "What real kernels counted, and what one of them said on the way",
    still=measured_shown,
    needs=(rescues,),
)


# -- the six statements of lesson 00

ANSWERS = {
    "users": (False, "512 of them are the page cache's, one for each small page"),
    "pinned": (False, "any reference will do, and a page can be refused without one"),
    "free": (False, "2 MiB in one piece outside CMA are needed; scattered ones are of no use"),
    "ten": (False, "the tries follow at once, so a longer stay is met ten times"),
    "errno": (True, "v2 tries again after -EAGAIN and gives up on -EBUSY"),
    "counter": (True, "in v2 a huge page refused in ten passes is counted eleven times"),
}


posttest = Card(
    "posttest",
    "The six statements of lesson 00, once more: true or false?",
    dict.fromkeys(QUESTIONS, bool),
    labels=QUESTIONS,
    judge=keyed(ANSWERS),
    outcome=lambda: {name: true for name, (true, _) in ANSWERS.items()},
    why="\n\n".join(f"`{name}`: {why}." for name, (_, why) in ANSWERS.items()),
)
