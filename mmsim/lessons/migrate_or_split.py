"""Lesson 04: a huge page that has to leave CMA is migrated, or split and migrated.

Interface: the pictures ten_or_one; the cards recall, four, pair, counted, mapped, order, rescues,
returned, measured, posttest; tries_picture, and the names that the text fills in."""

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
from mmsim.lessons.form import Choices, FormError, Verdict, counters_of, failed, passed, ran
from mmsim.lessons.the_report import QUESTIONS
from mmsim.mm.world import AVAILABLE
from mmsim.scenarios import vfio_map
from mmsim.views.flow import flow_sentence, flow_svg, taken
from mmsim.views.show import Picture, Shown, moment
from mmsim.views.svg import INK, LINE, MARKED, MUTED, PANEL, SMALL, TITLE, Svg, outcome_mark
from mmsim.views.tables import alignment, counters_by_version

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
    return Picture(flow_svg(trace), flow_sentence(trace))


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
    svg.text(18, 60, "pass", 60, size=SMALL, fill=MUTED)
    for number in range(PASSES):
        x = left + number * box
        svg.text(x + box / 2 - 2, 60, f"{number}", 30, size=SMALL, fill=MUTED, anchor="middle")
    for place, (name, found) in enumerate(told.items()):
        y = 70 + high * place
        what, _, how = name.partition(": ")
        svg.text(18, y + 18, what, left - 26, bold=True)
        svg.text(18, y + 35, how, left - 26, size=SMALL, fill=MUTED)
        for number in range(PASSES):
            x, tried = left + number * box, number < len(found)
            ground, edge = (MARKED, INK) if tried else (PANEL, LINE)
            svg.rect(x, y, box - 5, high - 12, fill=ground, stroke=edge, rx=4)
            if tried:
                good = found[number] in ("split", "moved")
                outcome_mark(svg, x + 20, y + 20, "success" if good else "failure", "", 16)
        end = ended(rows[name])
        sign = "success" if end == "pinned" else "failure"
        outcome_mark(svg, left + PASSES * box + 18, y + 20, sign, end, 130)
    return Picture(svg.render(), f"{title}. {words}.")


ten_or_one = Shown(
    lambda: tries_picture(
        "The same page, the same reference: ten tries, or one",
        {
            "A huge page is free elsewhere: base tries to move the page": run(targets=AVAILABLE),
            "No huge page is free: base tries to split the page": run(),
        },
    )
)


# -- recall

recall = Card(
    "recall",
    "Two questions about lessons 00 and 01, from memory.",
    {
        "ends": Choices(
            a="a mapping", b="the pin of a device", c="the look that drop_caches takes"
        ),
        "failed": Choices(
            a="small pages",
            b="splits that were begun and refused",
            c="every page that was not split",
        ),
    },
    labels={
        "ends": "Which of these references ends by itself, and soon?",
        "failed": "What does `thp_split_page_failed` count?",
    },
    judge=keyed(
        {
            "ends": ("c", "drop_caches lets go at the end of its batch; the other two stay"),
            "failed": ("b", "it counts splits that were begun and refused"),
        }
    ),
    solution={"ends": "c", "failed": "b"},
    hints=("ends: which of the three does nobody have to end?", "failed: what does begun mean?"),
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


def four_table() -> pd.DataFrame:
    """The counters of the report in the four situations."""
    import pandas as pd

    found = {FOUR[name][0]: counters_of(trace) for name, trace in four_runs().items()}
    return pd.DataFrame(found).T.rename_axis("situation")


def console() -> Any:
    """The knobs of the situation beside the way that its run takes."""
    from mmsim.widgets import console

    knobs = ("targets", "holder", "taken", "released", "reason")
    return console(vfio_map(), knobs=knobs, versions=VERSIONS)


four = Card(
    "four",
    "What does `thp_migration_fail` say at the end of each of these runs, in base?\n"
    "It goes up when a huge page could not be moved *as it is*.",
    dict.fromkeys(FOUR, (0, 1, 2, PASSES)),
    labels={name: words for name, (words, *_) in FOUR.items()},
    outcome=lambda: {name: counters_of(t)["thp_migration_fail"] for name, t in four_runs().items()},
    why="*A huge page is free, a holder:* the move fails in each of the ten passes, and is counted "
    "once, after the last. **No split is tried.** In Linux 6.1 only a missing destination leads to "
    "a split.\n\n"
    "*None is free, nobody:* the page could not be moved as it is, so a split that succeeds still "
    "counts as one failed migration. Remember that one.",
    still=lambda: [four_table(), flow(four_runs()["none_holder"])],
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


# -- the check and the freeze


def world_at_check() -> tuple[int, int]:
    """At the check of the references: how many there are, and how many are explained."""
    trace = run()
    (page,) = trace.state(trace.find("can_split_folio")).world.folios.values()
    return page.refcount, page.cache_refs + page.mapcount + 1


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
    outcome=lambda: dict(zip(("there", "explained"), world_at_check(), strict=True)),
    why="512 of the page cache, 1 mapping, 1 isolation: those are explained. The holder's is one "
    "too many, so the split is refused.",
    still=lambda: moment(run(), run().find("can_split_folio")),
    play=stepper,
)

LEFT = {
    "check": ("start", "it only looks, before anything is changed"),
    "freeze": ("0.site2", "the mappings are gone by then, and for a file nobody puts them back"),
}


def mappings(refused_at: str) -> int:
    """How many mappings the page has after a split that was refused there."""
    (page,) = run(taken=LEFT[refused_at][0]).last.world.folios.values()
    return int(page.mapcount)


def all_mappings() -> dict[str, int]:
    """The same for both places."""
    return {name: mappings(name) for name in LEFT}


mapped = Card(
    "mapped",
    "How many mappings does the page have after a split that was refused at each place?\n"
    "Before, there was one. Nobody touches the page meanwhile.",
    dict.fromkeys(LEFT, (0, 1, 2)),
    labels={name: f"refused at the {name}" for name in LEFT},
    outcome=all_mappings,
    judge=checked(
        all_mappings,
        lambda *_: "had the mappings been removed by then, and who would map the page again?",
        lambda name: f"{mappings(name)} mappings are left: {LEFT[name][1]}",
        "the check comes before the mappings are removed, the freeze after it",
    ),
    why="This page belongs to a file, so nobody maps it again; the guest has to fault it in.",
    hints=(
        "Between the two places the kernel removes the mappings.",
        "A refusal at the freeze comes after the mappings have gone.",
        "For memory of a file nobody puts them back.",
    ),
    still=lambda: [
        "Refused at the freeze, and the page as it is at the end:",
        *moment(run(taken="0.site2"), len(run(taken="0.site2"))),
    ],
)


# -- the steps of a split, in order

# What the steps of the exercise are called in the model's run, and why each stands where it does.
STEPS = {
    "folio_lock": ("lock", "nobody else may move, cut or truncate the page meanwhile"),
    "can_split_folio": ("look", "cheap, and nothing has been changed yet if the answer is no"),
    "unmap_folio": (
        "unmap",
        "a mapping is a reference, and nobody may use the page while it is cut",
    ),
    "folio_ref_freeze": ("freeze", "from here on nobody can take a reference"),
    "__split_huge_page": ("cut", "only now is it safe to give each piece a count of its own"),
    "folio_unlock": ("unlock", "the pieces can be moved"),
}
WHY = dict(STEPS.values())
WHY_NOT = {
    "pin": "a pin is one more reference, and would make the split impossible",
    "wait": "no version waits for a reference to go; they look again at once or give up",
}
SHUFFLED = {
    "cut": "the one page is cut into 512",
    "freeze": "all references are claimed at once",
    "lock": "the page's own lock is taken",
    "look": "the check of the references",
    "pin": "a long-term pin is taken",
    "unlock": "the lock is given back",
    "unmap": "the mappings are removed",
    "wait": "the kernel sleeps until the holder lets go",
}
PLACES = ("first", "second", "third", "fourth", "fifth", "sixth")


def split_order() -> list[str]:
    """The steps of a split that succeeds, in the order of the model's run."""
    return [
        STEPS[event.op.kind.name][0]
        for event in run(holder=0, order=1).events
        if event.op.kind.name in STEPS
        and any(frame.function == "try_split_thp" for frame in event.where)
    ]


def judged_order(answer: dict[str, str]) -> Verdict:
    """A Parsons problem with two distractors."""
    right = split_order()
    for number, (place, step) in enumerate(answer.items()):
        if step in WHY_NOT:
            return failed(f"{step!r} is not part of a split: {WHY_NOT[step]}")
        if step != right[number]:
            done = ", ".join(right[:number]) or "nothing"
            why = f"the {place} step is not {step!r}; what belongs there comes first: "
            return failed(f"{why}{WHY[right[number]]}", f"Done so far: {done}.")
    return passed("this is the order of the model's run")


order = Card(
    "order",
    "Put the six steps of a split that succeeds into order; two of the eight don't belong.\n"
    + "; ".join(f"`{name}`: {what}" for name, what in SHUFFLED.items())
    + ".",
    dict.fromkeys(PLACES, tuple(SHUFFLED)),
    judge=judged_order,
    solution=["lock", "look", "unmap", "freeze", "cut", "unlock"],
    why="\n\n".join(f"`{step}`: {why}." for step, why in WHY.items()),
    hints=(
        "Six of the eight steps happen. Which two would make things worse?",
        "Nobody may touch the page while it is cut: the mappings go, then all references at once.",
        "lock, look, unmap, freeze, cut, unlock",
    ),
)


# -- the patch

# When the holder leaves: the conformance vectors C4 to C8.
RESCUES: dict[str, tuple[str, dict[str, Any]]] = {
    "nobody": ("nobody holds the page", {"holder": 0}),
    "before_1": ("the holder leaves before pass 1", {"released": 1}),
    "before_3": ("the holder leaves before pass 3", {"released": 3}),
    "before_9": ("the holder leaves before pass 9", {"released": 9}),
    "never": ("the holder never leaves", {}),
}


def rescue(case: str, version: str = "v2") -> Trace:
    """The run of a case; a small huge page will do, for all that is counted here in huge pages."""
    return run(version, order=1, **RESCUES[case][1])


def rescue_fails() -> dict[str, int]:
    """What v2 counts in each case."""
    return {case: counters_of(rescue(case))["thp_migration_fail"] for case in RESCUES}


def rescue_told(case: str) -> str:
    """What the count of a case is made of."""
    found, refused = counters_of(rescue(case)).values()
    last = "the page that was split" if taken(rescue(case)).split else "giving up"
    return f"v2 counts {found}, {refused} for refused splits and 1 for {last}"


def rescues_shown() -> list[Any]:
    """The passes of v2 in each case, and the counters of the versions."""
    import pandas as pd

    rows = {f"{words}: v2": rescue(case) for case, (words, _) in RESCUES.items()}
    counts = {
        version: [
            " / ".join(map(str, counters_of(rescue(case, version)).values())) for case in RESCUES
        ]
        for version in VERSIONS
    }
    index = pd.Index([words for words, _ in RESCUES.values()], name=" / ".join(REPORTED))
    return [tries_picture("v2 looks again in every pass", rows), pd.DataFrame(counts, index=index)]


rescues = Card(
    "rescues",
    "What does `thp_migration_fail` say at the end of each of these runs, in v2?\n"
    "No huge page is free. A refused split is counted as a failure at once, before it is decided "
    "whether to try again. After the last pass, what still waits to be tried again is counted once "
    "more. And a page that is split counts too.",
    dict.fromkeys(RESCUES, (0, 1, 2, 3, 4, 9, 10, 11)),
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
    why="Ten refusals, eleven failures. A page that is merely busy is *not* counted while it is "
    "tried again (that was the second of your four runs). A refused split is. It is a flaw of the "
    "patch, repaired later (lesson 09).",
    still=rescues_shown,
)


# -- the companion


def free_way() -> dict[str, Any]:
    """What comes of a pin in base and in v2 if nobody is in the way."""
    found: dict[str, Any] = {}
    for version in ("base", "v2"):
        trace = run(version, holder=0, order=1)
        found[f"{version}_returns"] = migrate_returns(trace)[-1]
        found[f"{version}_pinned"] = ended(trace) == "pinned"
    return found


returned = Card(
    "returned",
    "Nobody holds the page, no huge page is free, the split succeeds, and all pieces move: what "
    "does `migrate_pages()` return, and does the pin succeed?",
    {
        "base_returns": (0, 1, 512),
        "base_pinned": bool,
        "v2_returns": (0, 1, 512),
        "v2_pinned": bool,
    },
    labels={
        "base_returns": "base: `migrate_pages()` returns",
        "base_pinned": "base: the pin succeeds",
        "v2_returns": "v2: `migrate_pages()` returns",
        "v2_pinned": "v2: the pin succeeds",
    },
    outcome=free_way,
    why="In base the pin fails *although everything moved*. The split huge page was counted as one "
    "failure, so `migrate_pages()` returns 1, and the pin takes anything but 0 for an error.\n\n"
    "In base, then, *every* pin that needs a split fails. Why did the failure not come each time? "
    "A split is needed only if no huge page can be had outside CMA. And a call that fails leaves "
    "the pieces outside CMA, so the same call can succeed when it is made again.",
    still=lambda: counters_by_version(vfio_map(holder=0), VERSIONS),
)


# -- a real kernel

LINES = (5, 7, 11, 22)


@cache
def aligned() -> tuple[Any, ...]:
    """The trace of a measured pin in base beside the model's run, line by line."""
    return tuple(align(real_trace("S3_held_base_retfix1.txt"), run()))


def measured_counters() -> pd.DataFrame:
    """The counters of the report after a pin of a page that is held for ever."""
    import pandas as pd

    rows = {}
    for version in VERSIONS:
        real, model = real_trace(f"S3_held_{version}_retfix1.txt").delta, counters_of(run(version))
        rows[version] = [n for name in REPORTED for n in (real[name], model[name])]
    heads = [f"{name}, {side}" for name in REPORTED for side in ("measured", "model")]
    return pd.DataFrame(rows, index=heads).T.rename_axis("version")


measured = Card(
    "measured",
    "What real kernels counted, and what one of them said on the way",
    still=lambda: [measured_counters(), alignment(aligned()).iloc[[line - 1 for line in LINES]]],
    needs=(rescues,),
)


# -- the six statements of lesson 00

ANSWERS = {
    "users": (False, "512 of them are the page cache's, one for each small page"),
    "pinned": (False, "any reference will do, and a page can be refused without one"),
    "free": (False, "2 MiB in one piece outside CMA are needed; lesson 03 shows it"),
    "ten": (False, "the tries follow at once, so a longer stay is met ten times"),
    "errno": (True, "v2 tries again after -EAGAIN and gives up on -EBUSY"),
    "counter": (True, "in v2 a huge page refused in ten passes is counted eleven times"),
}


def judged_posttest(answer: dict[str, bool]) -> Verdict:
    """Each of the six with its reason."""
    for name, (true, why) in ANSWERS.items():
        if answer[name] is not true:
            return failed(f"“{QUESTIONS[name]}” {why}")
    return passed("all six")


posttest = Card(
    "posttest",
    "The six statements of lesson 00, once more: true or false?",
    dict.fromkeys(QUESTIONS, bool),
    labels=QUESTIONS,
    judge=judged_posttest,
    solution={name: true for name, (true, _) in ANSWERS.items()},
    why="\n\n".join(f"`{name}`: {why}." for name, (_, why) in ANSWERS.items()),
)
