"""Lesson 06, the game: the learner builds the failing schedules by hand, then all are searched."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

from mmsim.engine.explore import Finding, Property, always, sometimes
from mmsim.engine.explore import Verdict as SearchVerdict
from mmsim.engine.scenario import State
from mmsim.engine.schedule import render
from mmsim.engine.trace import Trace
from mmsim.errors import nearest
from mmsim.lessons.card import Card, quiz, widget
from mmsim.lessons.form import Choices, Verdict, failed, passed
from mmsim.mm.folio import ISOLATION, Folio
from mmsim.mm.world import World
from mmsim.scenarios import split_race, vfio_map
from mmsim.scenarios.guests import CMA_PFN
from mmsim.scenarios.situation import NOT_FINISHED, fails
from mmsim.views.game import Level, played, stands
from mmsim.views.operations import intent, sentence
from mmsim.views.run_columns import columns_picture
from mmsim.views.show import Shown
from mmsim.views.svg import FILLS, INK, SMALL_TEXT, Picture, Svg
from mmsim.views.tables import Frame, frame, labels

RACE = split_race("base", released="1")
# A huge page of two pages has the same schedules and states; nobody looks at it.
SMALL_RACE = RACE.with_(order=1)
# Small huge pages: whoever plays would have to press through 512 pieces.
PIN = vfio_map("v2", order=2, released="1")


# -- the levels of the game

LEVELS: dict[str, Level] = {}
CARDS: dict[str, Card] = {}


def coming(trace: Trace) -> list[str]:
    """A sentence for each actor: what it would do next, or why it can't go on."""
    lines = []
    for stand in stands(trace.scenario, trace.last):
        words = " or ".join(f"{words} ({stand.step})" for words in stand.moves.values())
        lines.append(f"{stand.actor} {stand.why or f'can go on: {words}'}")
    return lines


def judge_schedule(level: Level, answer: str) -> Verdict:
    """A schedule is judged by its run; one that is too short is told what can come next."""
    try:
        trace = played(answer, level.situation)
    except ValueError as error:
        return failed(str(error))
    if level.won(trace):
        return passed(level.told)
    outcome = level.situation.full_outcome(trace.last)
    more = " ".join(f"{line}." for line in coming(trace)) if outcome == NOT_FINISHED else ""
    return failed(f"after this schedule: {outcome}. {more}".strip())


def level_card(level: Level, question: str, solution: str, *hints: str) -> Card:
    """The card of a level; the schedule that shows the form wins no level."""

    def shown() -> list[Any]:
        trace = played(card.stored, level.situation)
        told = [
            f"Step {number}: {sentence(trace.at(number))}"
            for number, event in enumerate(trace.events, start=1)
            if event.actor == "holder"
        ]
        return [f"Your schedule: {card.stored}", *told, columns_picture(trace)]

    card = Card(
        question,
        str,
        form=f"a schedule such as '{level.situation.main}*2 holder*2'",
        judge=partial(judge_schedule, level),
        solution=solution,
        hints=hints,
        still=shown,
    )
    LEVELS[level.name], CARDS[level.name] = level, card
    return card


def won(level: Level, schedule: str) -> None:
    """A level that is won in the game is an answer to its card."""
    if not CARDS[level.name].settled:
        CARDS[level.name].answer(schedule)


def run_picture(schedule: str, of: str = "at_check") -> Picture:
    """The picture of a schedule."""
    return columns_picture(played(schedule, LEVELS[of].situation))


def run(schedule: object, of: str = "at_check") -> Shown:
    """The game without buttons: play a schedule of a level, and see what can be done next."""

    def play() -> list[Any]:
        if of not in LEVELS:
            return [f"Not played: no level {of!r}{nearest(str(of), LEVELS)}."]
        if not isinstance(schedule, str):
            return ["Not played: a schedule is a text such as 'split*2 holder*2'."]
        try:
            picture = run_picture(schedule, of)
        except ValueError as error:
            return [f"Not played: {error}."]
        verdict = judge_schedule(LEVELS[of], schedule)
        said = f"Won. {verdict.why}" if verdict.state == "passed" else verdict.why
        return [picture, f"Goal: {LEVELS[of].goal}", said]

    return Shown(play)


# -- two ways to refuse a split


@Shown
def steps() -> Frame:
    """The steps of a split that nobody disturbs."""
    trace = RACE.replay("split*13")
    rows = [
        (f"{event.op.kind.name}()", intent(trace.state(step).world, event.op))
        for step, event in enumerate(trace.events)
    ]
    numbers = labels(map(str, range(1, 14)), "step")
    return frame(rows, numbers, ["the split calls", "in words"])


def refused(trace: Trace, step: str) -> bool:
    """Did the race fail, and was the split refused by this step?"""
    no = [e for e in trace.events if e.op.kind.name == step and e.answer in (None, False)]
    return bool(no) and fails(RACE.outcome(trace.last))


at_check = level_card(
    Level(
        "at_check",
        "Refused at the check",
        "Make the split fail at the reference check.",
        RACE,
        lambda trace: refused(trace, "can_split_folio"),
        "The check counted one reference that it could not explain, and nothing was changed.",
    ),
    "Level 1: write a schedule of a split that is refused at the reference check.\n"
    "If you win it in the game above, it is stored here by itself.",
    "split*6 holder split*3 holder",
    "The check is can_split_folio(); when must the holder have its reference?",
    "Let the split go on until its button says “check”, then let the holder move.",
    "split*6 holder, and then the split to its end.",
)
at_freeze = level_card(
    Level(
        "at_freeze",
        "Refused at the freeze",
        "Make the split fail, although the check finds nothing.",
        RACE,
        lambda trace: refused(trace, "folio_ref_freeze"),
        "The mapping was gone already, so 513 references were expected. The holder's came after "
        "the look, one too many. The page is left without its mapping.",
    ),
    "Level 2: now the check has to find nothing, and the split fails at the freeze.",
    "split*8 holder split*5 holder",
    "The check must find nothing, so the holder has to come after it.",
    "There are three places between the check and the freeze.",
    "split*8 holder, and then the split to its end.",
)
game = Card(
    "You are the scheduler. Level 1: make the split fail at the reference check.\n"
    "Without buttons, this is the picture of the schedule `holder*2 split*4`.",
    still=lambda: run_picture("holder*2 split*4"),
    play=widget("scheduler", LEVELS["at_check"], LEVELS["at_freeze"], won=won),
)


# -- all schedules of the smallest race


@cache
def schedules() -> dict[tuple[int, int], str]:
    """Every schedule of the race, by how many steps the split has made when the holder takes its
    reference, and when it drops it; and how each ends."""
    race = SMALL_RACE
    found: dict[tuple[int, int], str] = {}

    def go(state: State, steps: int, at: tuple[int, ...]) -> None:
        for move in race.moves(state):
            after, _ = race.step(state, move)
            made, times = (steps + 1, at) if move.actor == race.main else (steps, (*at, steps))
            go(after, made, times)
        if race.finished(state):
            found[at[0], at[1]] = race.full_outcome(state)

    go(race.initial(), 0, ())
    return found


NOT_SPLIT = "failed: a huge page could not be split"
ENDS = {
    "split": ("the page is split", FILLS["MOVABLE"]),
    f"{NOT_SPLIT}, still mapped": ("refused at the check", FILLS["UNMOVABLE"]),
    f"{NOT_SPLIT}, left unmapped": ("refused at the freeze", FILLS["RECLAIMABLE"]),
}


def how_many(end: str) -> int:
    """How many schedules end so; `end` in the words of ENDS."""
    return sum(ENDS[outcome][0] == end for outcome in schedules().values())


N_SCHEDULES, N_STATES = 73, 55  # a test counts them


def schedules_picture() -> Picture:
    """Each cell is one schedule: the row says when the holder comes, the column when it goes."""
    names = [event.op.kind.name for event in RACE.replay("split*13").events]
    rows = [*names, "(the split has returned)"]
    wide, cell, left, top = 640.0, 25.0, 232.0, 112.0
    failing = N_SCHEDULES - how_many("the page is split")
    title = f"{failing} of {N_SCHEDULES} schedules fail; each cell is a schedule"
    ends = ", ".join(f"{how_many(end)} {end}" for end, _ in ENDS.values())
    svg = Svg(wide, top + cell * len(rows) + 64, title, f"{title}: {ends}.")
    svg.headline(14, 28, wide - 28, title)
    svg.note(left - 12, top - 12, "the holder takes it before", 226, anchor="end")
    svg.note(left, top - 32, "steps that the split has made when the holder lets go", 400)
    for number, name in enumerate(rows):
        y = top + cell * number
        deciding = name in ("can_split_folio", "folio_ref_freeze")
        svg.text(left - 12, y + 17, f"{number + 1}. {name}", 220, size=SMALL_TEXT, fill=INK,
                 bold=deciding, anchor="end")  # fmt: skip
        svg.note(left + cell * (number + 0.5), top - 12, f"{number}", 20, anchor="middle")
    for (taken, dropped), outcome in schedules().items():
        fill = ENDS[outcome][1]
        x, y = left + cell * dropped, top + cell * taken
        svg.filled(x + 1, y + 1, cell - 2, cell - 2, fill, stroke=fill.mark, stroke_width=1)
    signs = [svg.swatch(fill, f"{words}: {how_many(words)}") for words, fill in ENDS.values()]
    svg.legend(14, top + cell * len(rows) + 24, wide - 28, signs)
    return Picture(svg.render(), f"{title}: {ends}.")


failing = Card(
    f"There are {N_SCHEDULES} schedules of this race: how many are refused at the check, and how "
    "many at the freeze?",
    {"check": (7, 14, 21, 63), "freeze": (3, 4, 12, 39)},
    labels={"check": "refused at the check", "freeze": "refused at the freeze"},
    outcome=lambda: {where: how_many(f"refused at the {where}") for where in ("check", "freeze")},
    hints=(
        "At the check: it comes before one of the steps 1 to 7.",
        "At the freeze: it comes after step 7, 8 or 9, and goes after step 10, 11, 12 or 13.",
    ),
    why="Each cell is a schedule, and each row is a moment to come. In seven rows the holder comes "
    "before the check, and has three moments to go after it: 7 x 3. In three rows it comes between "
    "check and freeze, and has four moments to go: 3 x 4. In all other cells it comes too late, or "
    "is gone too early. Row 11 is empty: nobody can take a reference while the count is frozen.\n\n"
    "33 of 73 fail, but that is no probability. It matters how often a holder comes, and how long "
    "it stays: lesson 07.",
    still=schedules_picture,
)


# -- claims about every state


def _page(state: State) -> Folio:
    """The folio at the beginning of A, whole or not."""
    world: World = state.world
    return world.folio(CMA_PFN)


def _others(state: State) -> int:
    """References on it of anybody but the split, the page cache and the mappings."""
    return sum(refs for who, refs in _page(state).held if who != ISOLATION)


def _next(state: State) -> str:
    """The step that the split takes next; "" once it has returned."""
    op = state.locals[0].op
    return op.kind.name if op else ""


def _frozen(state: State) -> bool:
    return _page(state).refcount == 0


CLAIMS: dict[str, Property] = {
    "alone": always(
        "While the count is frozen, the holder has no reference.",
        lambda s: not (_frozen(s) and _others(s)),
    ),
    "checked": always(
        "Once the check has found no surplus, none can appear before the split's next step.",
        lambda s: not (_next(s) == "unmap_folio" and _others(s)),
    ),
    "mapped": always(
        "Whenever a refusal of the split has been counted, the page is still mapped.",
        lambda s: not s.world.vmstat["thp_split_page_failed"] or _page(s).mapcount > 0,
    ),
    "piece": sometimes(
        "It can happen that the page has been split and the holder has a reference.",
        lambda s: not _page(s).is_thp and _others(s) > 0,
    ),
}
"""What can be said of every state of the race, or of some; not all of it is true."""


@cache
def findings(states_max: int = 500_000) -> dict[str, Finding]:
    """What a search of the race says of each claim."""
    found = SMALL_RACE.explore(states_max=states_max, properties=list(CLAIMS.values()))
    return dict(zip(CLAIMS, found.findings, strict=True))


def against_claim(name: str, said: str) -> tuple[str, str]:
    """A wrong verdict on a claim meets a shortest schedule that decides it."""
    verdict, schedule = findings()[name].verdict.value, findings()[name].schedule
    if schedule is None:
        contradicts = f"none of all {N_STATES} states contradicts it"
        return "which schedule breaks it? Build it.", contradicts
    line = render(schedule)
    why = f"there is a schedule of {len(schedule)} steps that decides it"
    return why, f"{verdict}. Play `{line}`: {sentence(RACE.replay(line).at())}"


def claims_table(states_max: int = 500_000) -> Frame:
    """A verdict on each claim, and a shortest schedule that decides it."""
    rows = [
        (each.verdict.value, render(each.schedule) if each.schedule is not None else "")
        for each in findings(states_max).values()
    ]
    return frame(rows, labels(CLAIMS, "claim"), ["verdict", "decided by"])


claims = Card(
    "Which of these claims hold?\nThe first three claim something of *every* state, the last of "
    "at least *one* state. A *surplus* is a reference that the check cannot explain. A single "
    "schedule is enough to break a claim about every state, or to show that the last one holds.",
    dict.fromkeys(CLAIMS, (SearchVerdict.HOLDS.value, SearchVerdict.BROKEN.value)),
    labels={name: claim.name for name, claim in CLAIMS.items()},
    outcome=lambda: {name: finding.verdict.value for name, finding in findings().items()},
    against=against_claim,
    if_right=f"so says a search through all {N_STATES} states",
    hints=(
        "Try to break each claim with a schedule of your own first.",
        "Two are broken. One by a holder who comes in time but too late for the check.",
    ),
    why="The second claim is the whole story in one line. A check says what *was* so when it "
    "looked. Nothing keeps it so. What the freeze finds, it keeps: from then on nobody can take a "
    "reference.",
    still=lambda: claims_table(),
)

SURE, UNSURE = "sure", "not sure"
verdicts = quiz(
    "A search stopped early and says one of these sentences: can it be sure?",
    {
        "always_holds": (
            "“This claim about every state holds.”",
            (SURE, UNSURE),
            UNSURE,
            "a state that was not searched could still break it",
        ),
        "sometimes_holds": (
            "“There is a state of which this is true.”",
            (SURE, UNSURE),
            SURE,
            "the state has been found",
        ),
    },
    "a search that was stopped can show that something happens, never that it does not",
    hints=(
        "What could the states that were not searched still change?",
        "A single state is enough to break “always”, and to prove “sometimes”.",
    ),
    why="“We let it run all night and nothing happened” is a search that was not finished.",
    still=lambda: [
        f"The four claims again, by a search that gave up after 40 of the {N_STATES} states:",
        claims_table(40),
    ],
)


# -- two steps as one

PAIRS = Choices(
    a="from folio_mapping to can_split_folio",
    b="from can_split_folio to unmap_folio",
    c="from unmap_folio to folio_ref_freeze",
    d="from can_split_folio to folio_ref_freeze",
)


def refusals(letter: Any) -> dict[str, str]:
    """Where a split can still be refused if nobody comes between the two: a shortest schedule."""
    situation = SMALL_RACE.together(*PAIRS[letter].removeprefix("from ").split(" to "))
    ends = situation.explore().outcomes(situation.full_outcome)
    return {ENDS[end.name][0]: render(end.shortest or ()) for end in ends if fails(end.name)}


def judge_stretch(answer: dict[str, Any]) -> Verdict:
    """A wrong answer meets a schedule that still fails."""
    lines = refusals(answer["stretch"])
    if line := lines.get("refused at the freeze"):
        why = "with these two as one the holder still finds a moment. Which?"
        return failed(why, second=f"after `{line}` the split is refused at the freeze")
    line = lines.get("refused at the check")
    if answer["check"] is not bool(line):
        why = "the freeze is safe now. What of a holder that comes before the stretch?"
        return failed(why, second=f"after `{line}` the split is refused at the check")
    return passed("so says a search through all schedules that are left")


def pairs_table() -> Frame:
    """Of each pair: where a split can still be refused."""
    ends = [words for words, _ in ENDS.values() if "refused" in words]
    rows = [[refusals(letter).get(end, "never") for end in ends] for letter in PAIRS]
    return frame(rows, labels((f"{a}: {pair}" for a, pair in PAIRS.items()), "as one step"), ends)


together = Card(
    "Suppose a stretch of the split's steps were a single step: which stretch rules out every "
    "refusal at the freeze?",
    {"stretch": PAIRS, "check": bool},
    labels={
        "stretch": "Which stretch?",
        "check": "With it, can the split still be refused at the check?",
    },
    judge=judge_stretch,
    solution=["d", True],
    hints=(
        "Which step found nothing, and which one did?",
        "The holder must have no moment after the check and before the freeze.",
    ),
    why="The kernel can't do that. Between check and freeze, `unmap_folio()` removes every "
    "mapping: it visits all page tables, and tells other processors to forget. That can't be one "
    "instruction. No lock keeps a holder away either, because references are taken without one. So "
    "the freeze compares again, and claims all references in one instruction.",
    still=pairs_table,
)


# -- the whole pin


piece = level_card(
    Level(
        "piece",
        "A piece misses its one pass",
        "The huge page is split. Make the pin fail all the same.",
        PIN,
        lambda trace: "piece" in PIN.outcome(trace.last),
        "The pieces have one pass (lesson 04). A single reference at that moment fails the whole "
        "pin.",
    ),
    "Level 3: the huge page is split, and the pin fails all the same.\n"
    "`pin*999` plays the pin to its end.",
    "pin*21 holder pin*999",
    "The split has to succeed: stay away until the huge page has been cut.",
    "The cut is step 11 of the split. Which step of the pin is that?",
    "pin*21 holder, and then the pin to its end: pin*999.",
)
rescue = level_card(
    Level(
        "rescue",
        "Refused, and tried again",
        "Make the first attempt to split fail, and the pin succeed.",
        PIN,
        lambda trace: (
            trace.last.world.vmstat["thp_split_page_failed"] > 0
            and PIN.outcome(trace.last) == "pinned"
        ),
        "Without the retry this pin would have failed at the first refusal.",
    ),
    "Level 4: the first attempt to split is refused, and the pin succeeds.",
    "pin*5 holder pin*15 holder pin*999",
    "Have the first attempt refused as in level 1, then let go.",
    "The first check is step 15 of the pin. The holder must let go before the next check.",
    "pin*5 holder pin*15 holder, and then the pin to its end: pin*999.",
)
pin_game = Card(
    "You are the scheduler of a whole pin: levels 3 and 4.\n"
    "Without buttons, this is the picture of the schedule `pin*9`.",
    still=lambda: run_picture("pin*9", "piece"),
    play=widget("scheduler", LEVELS["piece"], LEVELS["rescue"], won=won),
)
