"""You are the scheduler: a button for everything that can happen next, and a goal to reach.

The picture is the one of `views.run_columns`.  Where each actor stands is asked of
`mmsim.views.game`; the widget holds the moves that were made.  Each actor has a letter: pressed
anywhere in the widget, it presses the actor's button, and Backspace takes the last press back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from html import escape
from string import ascii_lowercase

import ipywidgets as w

from mmsim.amounts import plural
from mmsim.engine.scenario import Move
from mmsim.engine.schedule import render, replaying
from mmsim.engine.trace import Trace, record
from mmsim.scenarios import Situation
from mmsim.scenarios.situation import fails
from mmsim.views.game import Level, Stand, played, stands
from mmsim.views.run_columns import columns_picture
from mmsim.views.svg import GREEN
from mmsim.widgets.board import ROW, Frame, keyed

STEP, ALL = "one step", "as far as it goes"
"""What one press does: an atomic step, or all that is possible without another actor or a choice.
"""
FREE = "free"
PRESS_STEPS_MAX = 2_000
KINDS_STATES_MAX = 10_000

Won = Callable[[Level, str], None]
# A frame, a ground and a sign: a level that is won must not be missed, in a light or a dark theme.
WON = f"border: 3px solid {GREEN}; border-radius: 6px; background: #E3F4EC; color: #10231B; "
GOAL = "border: 3px solid transparent; "
BOX = "padding: 4px 10px; min-height: 48px; line-height: 1.4"  # one height: nothing jumps


def letters(actors: Sequence[str]) -> dict[str, str]:
    """A letter of its own for each actor, of its name if there is one left."""
    found: dict[str, str] = {}
    for actor in actors:
        free = (c for c in actor.lower() + ascii_lowercase if c.isalpha() and c not in found)
        found[next(free)] = actor
    return found


def free_play(situation: Situation) -> Level:
    """Any situation as a level that has no goal."""
    goal = "There is none: bring about whatever you like."
    return Level(FREE, "Free play", goal, situation, lambda trace: False, "")


def go_on(trace: Trace, move: Move, grain: str = STEP) -> None:
    """Make a move, and with a coarse grain what follows from it without a further decision."""
    trace.append(move)
    for _ in range(PRESS_STEPS_MAX):
        going_on = [m for m in trace.scenario.moves(trace.last) if m.actor == move.actor]
        if grain == STEP or len(going_on) != 1:
            return
        trace.append(going_on[0])


@lru_cache(maxsize=32)
def kinds(situation: Situation) -> tuple[list[str], bool]:
    """Every kind of failure that some schedule leads to, and whether the search was finished.

    The one with the shortest schedule comes first."""
    found = situation.explore(states_max=KINDS_STATES_MAX)
    ends = set(found.ends)
    said = [situation.full_outcome(state) for number, state in found.walk(ends) if number in ends]
    return list(dict.fromkeys(filter(fails, said))), found.complete


class ActorRow(w.HBox):
    """One actor: its name, a button for each choice, or why it has none.

    Buttons are kept and renamed, so that the keyboard stays where it is after a press."""

    def __init__(self, actor: str, key: str, press: Callable[[Move], None]) -> None:
        self.actor, self._press = actor, press
        self.buttons: list[w.Button] = []
        self._moves: list[Move] = []
        self.said = w.HTML()
        super().__init__([self.said], layout=ROW)
        self._grow(1)
        keyed(self.buttons[0], key)

    def show(self, stand: Stand) -> None:
        """What this actor can do now."""
        self._moves, words = [*stand.moves], [*stand.moves.values()]
        self._grow(len(words))
        for number, button in enumerate(self.buttons):
            button.disabled = number >= len(words)
            button.layout.display = "none" if button.disabled and number else None
            said = "can't move" if button.disabled else words[number]
            button.description = f"{self.actor}: {said}"
            button.tooltip = stand.why or stand.step
        why, step = escape(stand.why), escape(stand.step)
        self.said.value = f"<i>{why}</i>" if why else f"<code>{step}</code>"

    def _grow(self, wanted: int) -> None:
        while len(self.buttons) < wanted:
            button = w.Button(layout=w.Layout(width="auto", max_width="560px"))
            button.on_click(lambda b: self._press(self._moves[self.buttons.index(b)]))
            self.buttons.append(button)
            self.children = (*self.buttons, self.said)


class Scheduler(Frame):
    """The widget.  Its parts are attributes, so that a test can press them.

    `won` is told the level and the schedule, each time that a goal is reached."""

    def __init__(self, levels: tuple[Level, ...], won: Won | None = None) -> None:
        self.levels = {level.name: level for level in levels}
        self.trace = Trace(levels[0].situation)
        self._won = won
        self._found: dict[Situation, list[str]] = {level.situation: [] for level in levels}
        self._presses: list[int] = []  # how many moves were made before each
        self._won_levels: set[str] = set()
        titles = [(f"{n}. {level.title}", level.name) for n, level in enumerate(levels, start=1)]
        self.level = w.Dropdown(description="level", options=titles)
        self.grain = w.Dropdown(description="a press is", options=(STEP, ALL))
        self.undo = w.Button(description="Undo", tooltip="take the last press back (Backspace)")
        self.reset = w.Button(description="Reset", tooltip="back to the beginning")
        # What was played is shown beside the box and not in it: a picture that arrives late would
        # otherwise write over what somebody is typing.
        self.text = w.Text(placeholder="a schedule", description="play")
        self.text.layout = w.Layout(width="420px")
        self.load = w.Button(description="Play it", tooltip="play the schedule in the box")
        self.help, self.moves, self.said, self.view, self.told = (w.HTML() for _ in range(5))
        self.rows: dict[str, ActorRow] = {}
        self.actors = w.VBox()
        super().__init__(
            w.HBox(
                [self.level, self.grain, keyed(self.undo, "backspace"), self.reset, self.help],
                layout=ROW,
            ),
            self.told,
            self.actors,
            self.view,
            self.moves,
            w.HBox([self.text, self.load]),
            self.said,
        )
        self.level.observe(lambda _: self.keep(0), "value")
        self.undo.on_click(lambda _: self.keep(max(len(self._presses) - 1, 0)))
        self.reset.on_click(lambda _: self.keep(0))
        self.load.on_click(lambda _: self._load())
        self._draw()

    @property
    def chosen_level(self) -> Level:
        """The level that is played."""
        return self.levels[self.level.value]

    def press(self, move: Move) -> None:
        """Make a move, or several with a coarse grain."""
        self._presses.append(len(self.trace))
        go_on(self.trace, move, self.grain.value)
        self._draw()

    def keep(self, presses: int) -> None:
        """Take everything back but so many presses; none is kept after the level has changed."""
        moves = self._presses[presses] if presses < len(self._presses) else 0
        self._presses = self._presses[:presses]
        self.trace = record(self.chosen_level.situation, replaying(self.trace.moves[:moves]))
        self._draw()

    def _load(self) -> None:
        try:
            trace = played(self.text.value, self.chosen_level.situation)
        except ValueError as error:
            self.said.value = f"Not played: {escape(str(error))}."
        else:
            self.trace, self._presses = trace, list(range(len(trace)))
            self._draw()

    def _draw(self) -> None:
        trace = self.trace
        found = stands(trace.scenario, trace.last)
        keys = letters([stand.actor for stand in found])
        if [*self.rows] != [*keys.values()]:
            self.rows = {actor: ActorRow(actor, key, self.press) for key, actor in keys.items()}
            self.actors.children = tuple(self.rows.values())
        for stand in found:
            self.rows[stand.actor].show(stand)
        self.undo.disabled = self.reset.disabled = not len(trace)
        self.view.value = columns_picture(trace).html
        schedule = render(trace.moves)
        self.moves.value = f"Schedule: <code>{escape(schedule) or '(empty)'}</code>"
        self.said.value = ""
        named = ", ".join(f"<kbd>{key}</kbd> {actor}" for key, actor in keys.items())
        self.help.value = f"Keys: {named}, <kbd>Backspace</kbd> undo"
        self._judge(schedule)

    def _judge(self, schedule: str) -> None:
        """Say whether the goal is reached, and what has been won and found so far."""
        level, won = self.chosen_level, self.chosen_level.won(self.trace)
        style, said = GOAL, f"<b>Goal.</b> {escape(level.goal)}"
        if won:
            self._won_levels.add(level.name)
            style, said = WON, f'<b style="font-size: 130%">✔ Won.</b> {escape(level.told)}'
        signs = ["✔" if name in self._won_levels else "○" for name in self.levels]
        row = " · ".join(f"{sign} {n}" for n, sign in enumerate(signs, start=1))
        row = f"Levels: {row}. " if level.name != FREE else ""
        said = f"{said}<br>{row}{self._kinds()}"
        self.told.value = f'<div role="status" style="{style}{BOX}">{said}</div>'
        if won and self._won is not None:
            self._won(level, schedule)

    def _kinds(self) -> str:
        """Which kinds of failure were found in this situation, and of how many if it has a goal."""
        level = self.chosen_level
        outcome = level.situation.full_outcome(self.trace.last)
        found = self._found[level.situation]
        if fails(outcome) and outcome not in found:
            found.append(outcome)
        of = ""
        if level.name != FREE:
            all_, complete = kinds(level.situation)
            of = f" of {'' if complete else 'at least '}{plural(len(all_), 'kind')}"
        names = "; ".join(each.removeprefix("failed: ") for each in found)
        told = f"You found {len(found)}{of or ' kinds'} of failing schedule"
        return escape(f"{told}: {names}." if names else f"{told}.")


def scheduler(*levels: Level | Situation, won: Won | None = None) -> Scheduler:
    """A widget to play these levels, the first one first; a situation is played without a goal."""
    chosen = (each if isinstance(each, Level) else free_play(each) for each in levels)
    return Scheduler(tuple(chosen), won)
