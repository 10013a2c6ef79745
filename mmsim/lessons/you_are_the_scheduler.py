"""The lesson of the game.  The learner builds the failing schedules by hand, then all are searched.

Interface: the cards game, at_check, at_freeze, failing, claims, verdicts, together, recall, piece,
rescue, drawn, mutants; the game without buttons (run, level, drawn_level); the smallest race (RACE,
grid), and the names that the text fills in."""

from __future__ import annotations

import random
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from mmsim.engine.explore import Finding
from mmsim.engine.explore import Verdict as Said
from mmsim.engine.scenario import State
from mmsim.engine.schedule import render
from mmsim.engine.trace import Trace
from mmsim.errors import nearest
from mmsim.lessons.card import Card, keyed
from mmsim.lessons.form import Choices, Verdict, failed, passed
from mmsim.scenarios import SMALL as SMALLEST
from mmsim.scenarios import Situation, make, pin_versus, split_race, vfio_map
from mmsim.scenarios.mutants import CONTRADICTION, MUTATIONS, Death, deaths
from mmsim.scenarios.races import CLAIMS
from mmsim.scenarios.situation import NOT_FINISHED, Value, fails
from mmsim.views.columns import columns_svg
from mmsim.views.game import Level, coming, free_play, kinds, played, stands
from mmsim.views.show import Picture, Shown, Table
from mmsim.views.svg import FILLS, INK, MUTED, SMALL, TITLE, Svg, legend, swatch
from mmsim.views.words import plural, sentence

if TYPE_CHECKING:
    import pandas as pd

RACE = split_race("base", released="1")
# A huge page of two pages has the same schedules and states; nobody looks at it.
SMALL_RACE = RACE.with_(order=1)
# Small huge pages: whoever plays would have to press through 512 pieces.
PIN = vfio_map("v3", order=2, released="1")


# -- the levels


def _outcome(trace: Trace) -> str:
    situation = trace.scenario
    assert isinstance(situation, Situation)
    return situation.outcome(trace.last)


def _refused(trace: Trace, step: str) -> bool:
    """Did the race fail, and was the split refused by this step?"""
    no = [e for e in trace.events if e.op.kind.name == step and e.answer in (None, False)]
    return bool(no) and fails(_outcome(trace))


def _rescued(trace: Trace) -> bool:
    return _outcome(trace) == "pinned" and bool(trace.last.world.vmstat["thp_split_page_failed"])


LEVELS = {
    level.name: level
    for level in (
        Level(
            "at_check",
            "Refused at the check",
            "Make the split fail at the reference check.",
            RACE,
            lambda trace: _refused(trace, "can_split_folio"),
            "The check counted one reference that it could not explain, and nothing was changed.",
        ),
        Level(
            "at_freeze",
            "Refused at the freeze",
            "Make the split fail, although the check finds nothing.",
            RACE,
            lambda trace: _refused(trace, "folio_ref_freeze"),
            "The reference came after the look. The page was left without its mappings.",
        ),
        Level(
            "piece",
            "A piece misses its one pass",
            "The huge page is split. Make the pin fail all the same.",
            PIN,
            lambda trace: "piece" in _outcome(trace),
            "A piece gets one attempt; a single reference at that moment fails the whole pin.",
        ),
        Level(
            "rescue",
            "Refused, and tried again",
            "Make the first attempt to split fail, and the pin succeed.",
            PIN,
            _rescued,
            "Without the retry this pin would have failed at the first refusal.",
        ),
        Level(
            "walk",
            "drop_caches in person",
            "Make a single write to drop_caches fail the pin.",
            pin_versus("v3", **SMALLEST),
            lambda trace: fails(_outcome(trace)),
            "A walk over the page cache is enough, patch or no patch.",
        ),
    )
}


def level(name: str | Situation | Level) -> Level:
    """A level by its name; a situation is played without a goal."""
    if isinstance(name, Level):
        return name
    if isinstance(name, Situation):
        return free_play(name)
    if name not in LEVELS:
        raise ValueError(f"no level {name!r}{nearest(str(name), LEVELS)}")
    return LEVELS[name]


# What a level is drawn from: scenario, versions, knobs with their values.
_DRAWN: tuple[tuple[str, tuple[str, ...], dict[str, tuple[Value, ...]]], ...] = (
    ("split_race", ("base",), {"holders": (1, 2), "passes": (1, 2), "released": ("1", "never")}),
    ("vfio_map", ("6.1.0", "v3"), {"order": (1, 2), "passes": (1, 2, 3), "released": ("1",)}),
)


def drawn_level(seed: int) -> Level:
    """A level drawn from a seed: some situation, and one of the ends that it can come to."""
    rng = random.Random(seed)
    scenario, versions, knobs = rng.choice(_DRAWN)
    chosen = {name: rng.choice(values) for name, values in knobs.items()}
    situation = make(scenario, rng.choice(versions), chosen)
    wanted = rng.choice(kinds(situation)[0])
    number = int(chosen.get("holders", 1))
    leaves = "lets go" if number == 1 else "let go"
    leaves = f"never {leaves}" if chosen["released"] == "never" else f"{leaves} again"
    tries = plural(int(chosen["passes"]), "try", "tries")
    row = f"version {situation.version.name}, " if scenario == "vfio_map" else ""
    goal = (
        f"Make the {situation.main} end like this: {wanted.removeprefix('failed: ')}. "
        f"Given: {row}{tries}; {plural(number, 'holder')} that {leaves}."
    )
    return Level(
        f"seed {seed}",
        f"Drawn from seed {seed}",
        goal,
        situation,
        lambda trace: situation.fate(trace.last) == wanted,
        "One of the ends that the search had found; another seed gives another level.",
    )


# -- the game, with buttons and without


def run_svg(schedule: str, of: str | Situation | Level = "at_check") -> Picture:
    """The picture of a schedule."""
    trace = played(schedule, level(of).situation)
    return Picture(columns_svg(trace), sentence(trace.at()))


def _run(schedule: str, of: str | Situation | Level) -> list[Any]:
    import pandas as pd

    try:
        chosen = level(of)
        trace = played(schedule, chosen.situation)
    except (ValueError, AttributeError) as error:
        return [f"Not played: {error}."]
    rows = []
    for stand in stands(trace.scenario, trace.last):
        rows += [(stand.actor, c.words, c.step, str(c.move)) for c in stand.choices] or [
            (stand.actor, stand.why, "", "")
        ]
    index = pd.Index([row[0] for row in rows], name="actor", dtype=object)
    columns = ["next", "step", "write"]
    table = pd.DataFrame([row[1:] for row in rows], index=index, columns=columns, dtype=object)
    so_far = f"So far: {chosen.situation.fate(trace.last)}."
    said = f"Won. {chosen.told}" if chosen.won(trace) else so_far
    return [run_svg(schedule, of), Table(table), f"Goal: {chosen.goal}", said]


def run(schedule: str, of: str | Situation | Level = "at_check") -> Shown:
    """The game without buttons: play a schedule of a level, and see what can be done next."""
    return Shown(partial(_run, schedule, of))


def won(level: Level, schedule: str) -> None:
    """A level that is won in the game is an answer to its card."""
    card = globals().get(level.name)
    if isinstance(card, Card) and not card.settled:
        card.answer(schedule)


def play_game() -> Any:
    """All levels in the widget."""
    from mmsim.widgets.scheduler import scheduler

    return scheduler(*LEVELS.values(), won=won)


game = Card(
    "game",
    "The game: five levels, the easiest first.",
    still=lambda: [
        run_svg("split*3 holder"),
        "The schedule split*3 holder; it is not finished.",
    ],
    play=play_game,
)


def judged(level: Level, answer: str) -> Verdict:
    """A schedule is judged by its run; one that is too short is told what can come next."""
    try:
        trace = played(answer, level.situation)
    except ValueError as error:
        return failed(str(error))
    if level.won(trace):
        return passed(level.told)
    fate = level.situation.fate(trace.last)
    more = " ".join(f"{line}." for line in coming(trace)) if fate == NOT_FINISHED else ""
    return failed(f"after this schedule: {fate}. {more}".strip())


def level_card(name: str, question: str, solution: str, *hints: str) -> Card:
    """The card of a level."""
    return Card(
        name,
        question,
        str,
        form="a schedule such as 'split*3 holder split*2'",
        judge=partial(judged, LEVELS[name]),
        solution=solution,
        hints=hints,
        still=lambda: run_svg(globals()[name].stored, name),
    )


at_check = level_card(
    "at_check",
    "Level 1: write a schedule of a split that is refused at the reference check.\n"
    "A level that you win in the game above is stored here by itself.",
    "split*6 holder split*3 holder",
    "The check is can_split_folio(); when must the holder have its reference?",
    "Let the split go on until its button says “check”, then let the holder move.",
    "split*6 holder, and then the split to its end.",
)
at_freeze = level_card(
    "at_freeze",
    "Level 2: now the check has to find nothing, and the split fails at the freeze.",
    "split*8 holder split*5 holder",
    "The check must find nothing, so the holder has to come after it.",
    "There are three places between the check and the freeze.",
    "split*8 holder, and then the split to its end.",
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
            found[at[0], at[1]] = race.fate(state)

    go(race.initial(), 0, ())
    return found


ENDS = {
    "split": ("the page is split", FILLS["MOVABLE"]),
    "failed: a huge page could not be split, still mapped": (
        "refused at the check",
        FILLS["UNMOVABLE"],
    ),
    "failed: a huge page could not be split, left unmapped": (
        "refused at the freeze",
        FILLS["RECLAIMABLE"],
    ),
}


def counted(end: str) -> int:
    """How many schedules end so; `end` in the words of ENDS."""
    return sum(ENDS[fate][0] == end for fate in schedules().values())


N_SCHEDULES, N_STATES = 73, 55  # a test counts them


def n_failing() -> int:
    """How many of the schedules fail."""
    return sum(map(fails, schedules().values()))


def grid_sentence() -> str:
    """The grid in words."""
    parts = [f"{counted(words)} {words}" for words, _ in ENDS.values()]
    return f"{N_SCHEDULES} schedules: {', '.join(parts)}. {n_failing()} of them fail."


def grid_svg() -> str:
    """Each cell is one schedule: the row says when the holder comes, the column when it goes."""
    names = [event.op.kind.name for event in RACE.replay("split*13").events]
    rows = [*names, "(the split has returned)"]
    wide, cell, left, top = 1100.0, 25.0, 330.0, 96.0
    title = f"{n_failing()} of {N_SCHEDULES} schedules fail: each cell is one of them"
    svg = Svg(wide, top + cell * len(rows) + 64, title, f"{title}. {grid_sentence()}")
    svg.text(24, 32, title, wide - 48, size=TITLE, bold=True)
    words = "the holder takes its reference before"
    svg.text(left - 12, top - 12, words, 300, size=SMALL, fill=MUTED, anchor="end")
    svg.text(left, top - 32, "steps that the split has made when the holder lets go", 400,
             size=SMALL, fill=MUTED)  # fmt: skip
    for number, name in enumerate(rows):
        y = top + cell * number
        deciding = name in ("can_split_folio", "folio_ref_freeze")
        svg.text(left - 12, y + 17, f"{number + 1}. {name}", 300, size=SMALL, fill=INK,
                 bold=deciding, anchor="end")  # fmt: skip
        svg.text(left + cell * (number + 0.5), top - 12, f"{number}", 20, size=SMALL, fill=MUTED,
                 anchor="middle")  # fmt: skip
    for (taken, dropped), fate in schedules().items():
        fill = ENDS[fate][1]
        x, y = left + cell * dropped, top + cell * taken
        svg.filled(x + 1, y + 1, cell - 2, cell - 2, fill, stroke=fill.mark, stroke_width=1)
    signs = [swatch(svg, fill, f"{words}: {counted(words)}") for words, fill in ENDS.values()]
    legend(svg, left, top + cell * len(rows) + 24, wide - left, signs)
    notes = (
        "Read a row: the holder comes at one moment,",
        "and each cell is another moment to go.",
        "",
        "Row 11 is empty: while the count is frozen,",
        "nobody else can take a reference.",
    )
    for line, text in enumerate(notes):
        svg.text(left + cell * 15, top + 60 + 18 * line, text, 380)
    return svg.render()


def grid() -> list[Any]:
    """All schedules as a picture and a sentence."""
    return [Picture(grid_svg(), grid_sentence()), grid_sentence()]


failing = Card(
    "failing",
    f"There are {N_SCHEDULES} schedules of this race. How many of them fail?",
    (2, 7, 18, 33, 60),
    outcome=n_failing,
    why="Each cell is a schedule. In seven rows the holder comes before the check; three columns "
    "let it go after the check: 7 x 3. In three rows it comes between check and freeze; four "
    "columns let it go after the freeze: 3 x 4.",
    still=grid,
)


# -- claims about every state


@cache
def findings(states_max: int = 500_000) -> dict[str, Finding]:
    """What a search of the race says of each claim."""
    found = SMALL_RACE.explore(states_max=states_max, properties=list(CLAIMS.values()))
    return dict(zip(CLAIMS, found.findings, strict=True))


def last_step(situation: Situation, schedule: str) -> str:
    """A schedule that can be pasted into the game, and what its last step was."""
    trace = situation.replay(schedule)
    return f"Play `{schedule}`: {sentence(trace.at())}"


def judged_claims(answer: dict[str, str]) -> Verdict:
    """A wrong “holds” is answered with a shortest schedule that breaks the claim."""
    for name, finding in findings().items():
        if answer[name] == finding.verdict.value:
            continue
        if finding.schedule is None:
            told = f"none of all {N_STATES} states contradicts it"
            return failed(f"`{name}`: which schedule breaks it? Build it.", second=told)
        line, steps = render(finding.schedule), len(finding.schedule)
        why = f"`{name}`: there is a schedule of {steps} steps that decides it"
        return failed(why, second=f"`{name}` {finding.verdict.value}. {last_step(RACE, line)}")
    return passed(f"so says a search through all {N_STATES} states")


def claims_table(states_max: int = 500_000) -> pd.DataFrame:
    """A verdict on each claim, and a shortest schedule that decides it."""
    import pandas as pd

    rows = [
        (each.verdict.value, render(each.schedule) if each.schedule is not None else "")
        for each in findings(states_max).values()
    ]
    index = pd.Index(list(CLAIMS), name="claim", dtype=object)
    return pd.DataFrame(rows, index=index, columns=["verdict", "decided by"], dtype=object)


claims = Card(
    "claims",
    "Which of these claims hold?\n"
    "Five say that something is true in *every* state, `piece` that something is true in *some* "
    "state. Try to break each of the five with a schedule of your own.",
    dict.fromkeys(CLAIMS, (Said.HOLDS.value, Said.BROKEN.value)),
    labels={name: f"`{name}`: {claim.name}" for name, claim in CLAIMS.items()},
    judge=judged_claims,
    solution={name: "broken" if name in ("checked", "mapped") else "holds" for name in CLAIMS},
    hints=(
        "Try to break each claim with a schedule of your own first.",
        "Two are broken. One by a holder who comes in time but too late for the check.",
    ),
    why="`checked` is the whole story in one line. A check says what *was* so when it looked. "
    "Nothing keeps it so. What the freeze finds, it keeps: from then on nobody can take a "
    "reference.",
    still=lambda: claims_table(),
)

SAYS = {
    "always_holds": "“This claim about every state holds.”",
    "always_broken": "“This claim about every state is broken.”",
    "sometimes_holds": "“There is a state of which this is true.”",
    "sometimes_broken": "“There is no state of which this is true.”",
}
_MISSING, _FOUND = "what could a missing state change?", "what if the deciding state was found?"
verdicts = Card(
    "verdicts",
    "A search stopped early. Which of these can it say and be right?",
    dict.fromkeys(SAYS, bool),
    labels=SAYS,
    judge=keyed(
        {
            "always_holds": (False, _MISSING),
            "always_broken": (True, _FOUND),
            "sometimes_holds": (True, _FOUND),
            "sometimes_broken": (False, _MISSING),
        }
    ),
    solution={said: said in ("always_broken", "sometimes_holds") for said in SAYS},
    hints=(
        "What could the states that were not searched still change?",
        "A single state is enough to break “always”, and to prove “sometimes”.",
    ),
    why="“We let it run all night and nothing happened” is a search that was not finished. It can "
    "show that something happens, never that it does not.",
    still=lambda: [
        f"The six claims again, by a search that gave up after 40 of the {N_STATES} states:",
        claims_table(40),
    ],
)


# -- two steps as one

PAIRS = Choices(
    a="folio_mapping and can_split_folio",
    b="can_split_folio and unmap_folio",
    c="unmap_folio and folio_ref_freeze",
    d="can_split_folio and folio_ref_freeze",
    e="folio_get and folio_put",
)


def as_one(letter: str) -> Situation:
    """The race in which nobody can come between the two steps of a pair."""
    first, last = PAIRS[letter].split(" and ")
    return SMALL_RACE.together(first, last)


def judged_pairs(answer: dict[str, str]) -> Verdict:
    """A wrong pair is answered with a schedule that still fails."""
    for part, word in (("at_the_freeze", "unmapped"), ("at_all", "failed")):
        situation = as_one(answer[part])
        ends = situation.explore().outcomes(situation.fate)
        bad = [end for end in ends if word in end.name]
        what = part.replace("_", " ")
        if bad:
            line = render(bad[0].shortest or ())
            why = f"{what}: with these two as one the holder still finds a moment. Which?"
            end = bad[0].name.removeprefix("failed: ")
            return failed(why, second=f"{what}: after `{line}` {end}")
        if part == "at_the_freeze" and not any(fails(end.name) for end in ends):
            return failed("at the freeze: that rules every failure out; take two steps of `split`")
    return passed("each pair, by a search through all schedules that are left")


together = Card(
    "together",
    "Suppose two steps of one function were one, so that nobody can come between them. Which two?\n"
    "`at_the_freeze`: no split is ever refused at the freeze, though some are at the check. "
    "`at_all`: no split is refused at all.",
    dict.fromkeys(("at_the_freeze", "at_all"), PAIRS),
    judge=judged_pairs,
    solution={"at_the_freeze": "d", "at_all": "e"},
    hints=(
        "At the freeze: which step found nothing, and which one did?",
        "At all: what if the holder came and went in one step?",
    ),
    why="The kernel can do neither. Between check and freeze, `unmap_folio()` removes every "
    "mapping: it visits all page tables, and tells other processors to forget. That can't be one "
    "instruction, and no lock keeps a holder away, because references are taken without one.\n\n"
    "The freeze does claim all references in one instruction. While the page is mapped, some of "
    "them belong to the mappings, and whoever uses the memory may add to these. As to the second "
    "pair: the holder has its reference *because* it works with the page between the two steps.",
)


# -- the whole pin

recall = Card(
    "recall",
    "Before the whole pin, two questions about earlier lessons, from memory.",
    {
        "again": Choices(
            a="after a pause", b="when the reference has gone", c="in the next pass, at once"
        ),
        "pieces": Choices(a="one", b="ten", c="as many as there are passes left"),
    },
    labels={
        "again": "`again`: a split was refused because of a reference. When does the patch retry?",
        "pieces": "`pieces`: a huge page was split. How many attempts does each piece get?",
    },
    judge=keyed(
        {
            "again": ("c", "does anybody sleep between two passes?"),
            "pieces": ("a", "which list do the pieces go to, and how often is it walked?"),
        }
    ),
    solution={"again": "c", "pieces": "a"},
)
piece = level_card(
    "piece",
    "Level 3: the huge page is split, and the pin fails all the same.\n"
    "Write a schedule such as `pin*3 holder pin*2`; `pin*999` plays the pin to its end.",
    "pin*21 holder pin*999",
    "The split has to succeed: stay away until the huge page has been cut.",
    "The holder goes for piece 0, and the pieces are moved from the last one to the first.",
    "pin*21 holder, and then the pin to its end: pin*999.",
)
rescue = level_card(
    "rescue",
    "Level 4: the first attempt to split is refused, and the pin succeeds.",
    "pin*5 holder pin*15 holder pin*999",
    "Have the first attempt refused as in level 1, then let go.",
    "The holder must let go before the check of the next pass.",
    "pin*5 holder pin*15 holder, and then the pin to its end: pin*999.",
)


# -- practice

drawn = Card(
    "drawn",
    "A drawn level: which schedule wins it?",
    {"seed": int, "schedule": str},
    judge=lambda answer: judged(drawn_level(answer["seed"]), answer["schedule"]),
    solution={"seed": 3, "schedule": "holder split*99"},
    hints=(
        "Where must the holder be when the main actor looks?",
        "A split that is tried again must be refused each time.",
    ),
)


# -- mutations


class Dies(NamedTuple):
    """What the answer to a mutation can be."""

    words: str
    property: str


DIES = {
    "a": Dies("a pin can no longer succeed after a refused split",
              "the pin can succeed after a refused split"),
    "b": Dies("a page stays locked at the end", "at the end no page is locked"),
    "c": Dies("the check can no longer refuse a split", "the first look can refuse a split"),
    "d": Dies("a page is cut while somebody has a reference", CONTRADICTION),
}  # fmt: skip
CHANGED = ("no check", "freeze without comparing", "never again", "no unlock")
_ASK = {
    "no check": "does the freeze still compare, if the check does not?",
    "freeze without comparing": "which step comes right behind a freeze that says yes?",
    "never again": "which runs are missing then?",
    "no unlock": "who would have noticed, if nobody else takes the lock?",
}


def shown_death(name: str, death: Death) -> str:
    """A schedule that shows the death, in the sound or in the changed model."""
    line = render(death.schedule)
    if death.lost:
        return f"`{name}`: this run of the unchanged model can't happen any more: `{line}`"
    end = f"then {death.why}" if death.why else "then look at what is left"
    return f"`{name}`: in the changed model comes `{line}`, and {end}"


def judged_mutants(answer: dict[str, str]) -> Verdict:
    """Against the search in the changed model; a wrong letter gets the shortest run."""
    for name in CHANGED:
        death = deaths(name)[0]
        if DIES[answer[name]].property != death.property:
            return failed(f"`{name}`: {_ASK[name]}", second=shown_death(name, death))
    return passed("so says a search through all orders of steps of the changed models")


def mutants_table() -> pd.DataFrame:
    """Of each mutation: what dies first, and the run that shows it."""
    import pandas as pd

    letters = {each.property: each.words for each in DIES.values()}
    rows = []
    for name in CHANGED:
        first = deaths(name)[0]
        of = "unchanged model" if first.lost else "changed model"
        rows.append((letters[first.property], first.lab.what, f"{of}: {render(first.schedule)}"))
    index = pd.Index(CHANGED, name="mutation", dtype=object)
    return pd.DataFrame(rows, index=index, columns=["dies", "where", "shown by"], dtype=object)


mutants = Card(
    "mutants",
    "Four changes of the model. What does each of them kill first?\n"
    "First is what the shortest run shows. Something that could never happen now can, or something "
    "that could happen now never does.",
    dict.fromkeys(CHANGED, Choices({letter: each.words for letter, each in DIES.items()})),
    labels={name: f"`{name}`: {MUTATIONS[name].what}." for name in CHANGED},
    judge=judged_mutants,
    solution=dict(zip(CHANGED, "cdab", strict=True)),
    hints=(
        "Which step would have noticed, and does a later one notice too?",
        "The freeze compares. Without the check it still does.",
    ),
    why="Without the check *nothing* breaks that should hold. It saves work: a split that is "
    "refused before the mappings are gone has nothing to put back. What keeps the page whole "
    "while somebody refers to it is the comparison in the freeze alone.",
    still=mutants_table,
)
