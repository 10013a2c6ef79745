"""You are the scheduler: a button for everything that can happen next, and a goal to reach.

Interface: scheduler, Scheduler

The picture is the one of `views.columns`, as in the static twin (`play`).  What can be pressed and
what was found is asked of `mmsim.practice.game`; the session holds where the learner is."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets as w

from mmsim.engine import schedule
from mmsim.engine.scenario import Move
from mmsim.practice import game, levels
from mmsim.scenarios import Situation
from mmsim.views.columns import columns_svg
from mmsim.views.words import plural
from mmsim.widgets.session import Play


class ActorRow(w.HBox):
    """One actor: its name, a button for each choice, or why it has none.

    Buttons are kept and renamed, so that the keyboard stays where it is after a press."""

    def __init__(self, actor: str, press: Callable[[Move], None]) -> None:
        self.actor = actor
        self.buttons: list[w.Button] = []
        self.said = w.HTML()
        self._press = press
        self._moves: list[Move] = []
        super().__init__([self.said], layout=w.Layout(flex_flow="row wrap", align_items="center"))
        self._grow(1)

    def show(self, stand: game.Stand) -> None:
        """What this actor can do now."""
        self._moves = [choice.move for choice in stand.choices]
        self._grow(len(self._moves))
        for number, button in enumerate(self.buttons):
            known = number < len(stand.choices)
            button.disabled = not known
            button.layout.display = None if known or number == 0 else "none"
            words = stand.choices[number].words if known else "can't move"
            button.description = f"{self.actor}: {words}"
            button.tooltip = stand.choices[number].step if known else stand.why
        step = stand.choices[0].step if stand.choices else ""
        self.said.value = f"<code>{escape(step)}</code>" if step else f"<i>{escape(stand.why)}</i>"

    def _grow(self, wanted: int) -> None:
        while len(self.buttons) < wanted:
            button = w.Button(layout=w.Layout(width="auto", max_width="560px"))
            button.on_click(self._pressed)
            self.buttons.append(button)
            self.children = (*self.buttons, self.said)

    def _pressed(self, button: Any) -> None:
        self._press(self._moves[self.buttons.index(button)])


class Scheduler(w.VBox):
    """The widget.  Its parts are attributes, so that a test can press them."""

    def __init__(self, session: Play) -> None:
        self.session = session
        self.level = w.Dropdown(description="level", **self._titles())
        self.grain = w.Dropdown(
            options=game.GRAINS,
            value=session.grain,
            description="a press is",
            tooltip="an atomic step, or several at once",
        )
        self.undo = w.Button(description="Undo", tooltip="take the last press back")
        self.reset = w.Button(description="Reset", tooltip="back to the beginning")
        # What was played is shown beside the box and not in it: a picture that arrives late would
        # otherwise write over what somebody is typing.
        self.text = w.Text(placeholder="a schedule", description="play")
        self.text.layout = w.Layout(width="420px")
        self.load = w.Button(description="Play it", tooltip="play the schedule in the box")
        self.moves = w.HTML()
        self.goal, self.told, self.said = w.HTML(), w.HTML(), w.HTML()
        self.view = w.HTML()
        self.rows: dict[str, ActorRow] = {}
        self.actors = w.VBox()
        super().__init__(
            [
                w.HBox([self.level, self.grain, self.undo, self.reset]),
                self.goal,
                self.actors,
                self.told,
                self.view,
                self.moves,
                w.HBox([self.text, self.load]),
                self.said,
            ]
        )
        self._connect()
        self._draw()

    def _titles(self) -> dict[str, Any]:
        offered = enumerate(self.session.offered.values(), start=1)
        titles = [(f"{number}. {level.title}", level.name) for number, level in offered]
        return {"options": titles, "value": self.session.level}

    def _connect(self) -> None:
        session = self.session
        self.level.observe(lambda change: self._play(change["new"]), "value")
        self.grain.observe(lambda change: setattr(session, "grain", change["new"]), "value")
        self.undo.on_click(lambda _: session.undo())
        self.reset.on_click(lambda _: session.reset())
        self.load.on_click(lambda _: self._load())
        session.observe(lambda _: self._draw(), "moves")

    def _play(self, level: str) -> None:
        if level != self.session.level:
            self.session.level = level
            self._draw()

    def _load(self) -> None:
        try:
            self.session.load(self.text.value)
        except ValueError as error:
            self.said.value = f"Not played: {escape(str(error))}."
        else:
            self._draw()

    def _draw(self) -> None:
        session = self.session
        trace = session.trace
        self.level.value = session.level
        self.goal.value = f"<b>Goal.</b> {escape(session.played.goal)}"
        found = game.stands(trace.scenario, trace.last)
        for stand in found:
            if stand.actor not in self.rows:
                self.rows[stand.actor] = ActorRow(stand.actor, session.press)
            self.rows[stand.actor].show(stand)
        shown = tuple(self.rows[stand.actor] for stand in found)
        if self.actors.children != shown:
            self.actors.children = shown
        self.undo.disabled = self.reset.disabled = not len(trace)
        self.view.value = columns_svg(trace)
        self.told.value = self._verdict()
        self.moves.value = self._played()
        self.said.value = ""

    def _played(self) -> str:
        """The schedule so far, to be copied and passed on."""
        moves = schedule.render(self.session.trace.moves)
        return f"Schedule: <code>{escape(moves) or '(empty)'}</code>"

    def _of_all(self) -> str:
        """Of how many kinds; nobody has counted those of a situation without a goal."""
        level = self.session.played
        if level.name == levels.FREE:
            return " kind" if len(self.session.kinds) == 1 else " kinds"
        all_, complete = game.kinds(level.situation)
        return f" of {'' if complete else 'at least '}{plural(len(all_), 'kind')}"

    def _verdict(self) -> str:
        session = self.session
        found = [each.removeprefix("failed: ") for each in session.kinds]
        told = f"You found {len(found)}{self._of_all()} of failing schedule"
        told += f": {'; '.join(found)}." if found else "."
        if session.won:
            told = f"✔ <b>Won.</b> {escape(session.played.told)} {escape(told)}"
        return told


def scheduler(*offered: str | Situation | levels.Level) -> Scheduler:
    """A widget to play these levels, the first one first; without a name, all of them.

    A situation instead of a name can be played without a goal."""
    chosen = offered or tuple(levels.names())
    return Scheduler(Play(tuple(map(levels.level, chosen))))
