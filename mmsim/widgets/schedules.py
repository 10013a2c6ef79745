"""Static twins of what lesson 05 shows: a game as played, the tree of schedules, the chances.

Interface: play, show_tree, show_chances, show_mutation
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from IPython.display import display

from mmsim.engine.odds import EVEN, Weights
from mmsim.engine.sample import sample
from mmsim.engine.schedule import render
from mmsim.mm import mutations
from mmsim.practice import game, levels
from mmsim.scenarios import Situation
from mmsim.views import chances, tree
from mmsim.views.columns import columns_svg
from mmsim.views.sentences import sentence
from mmsim.views.shown import Picture
from mmsim.views.treefold import fold
from mmsim.widgets.display import After, locked, say, show_table

SEED = 0


def play(level: str | Situation | levels.Level, moves: Any = "", *, after: After = None) -> None:
    """A game without buttons: play a schedule or a share code, and see what can be done next."""
    if locked(after):
        return
    chosen = levels.level(level)
    if not isinstance(moves, str):
        print(f"Not played: write a schedule as a text in quotes, not {moves!r}.")
        return
    try:
        situation, trace = game.played(moves, chosen.situation)
    except ValueError as error:
        print(f"Not played: {error}.")
        return
    if not game.same(situation, chosen.situation):
        chosen = levels.free_play(situation)
    said = sentence(trace, len(trace))
    display(Picture(columns_svg(trace), said))
    say(said)
    show_table(_next(chosen, trace))
    say(f"Goal: {chosen.goal}")
    print(f"Won. {chosen.told}" if chosen.won(trace) else f"So far: {situation.fate(trace.last)}.")
    code = game.code_of(situation, trace.moves)
    shared = f"   share code: {code}" if code else ""
    print(f"Schedule: {render(trace.moves) or '(empty)'}{shared}")


def _next(level: levels.Level, trace: Any) -> Any:
    """What each actor can do next, as a table: the buttons of the widget."""
    import pandas as pd

    rows = []
    for stand in game.stands(trace.scenario, trace.last):
        rows += [(stand.actor, c.words, c.step, str(c.move)) for c in stand.choices] or [
            (stand.actor, stand.why, "", "")
        ]
    index = pd.Index([row[0] for row in rows], name="actor", dtype=object)
    return pd.DataFrame(
        [row[1:] for row in rows], index=index, columns=["next", "step", "write"], dtype=object
    )


def show_tree(situation: Situation, *, after: After = None) -> None:
    """All schedules of a situation as a tree, folded by how they end."""
    if locked(after):
        return
    root = fold(situation.explore(), situation.fate)
    said = tree.tree_sentence(root)
    display(Picture(tree.tree_svg(root), said))
    say(said)
    show_table(tree.tree_table(root), folded="the tree as a table")


def show_chances(
    situation: Situation,
    *,
    runs: int = 0,
    weights: Weights = EVEN,
    together: Sequence[str] = (),
    after: After = None,
) -> None:
    """Share of schedules, exact odds, and with `runs` as many runs by a coin, from seed 0 on.

    `together`: two steps that nobody can come between (`Situation.together`)."""
    if locked(after):
        return
    try:
        situation = situation.together(*together) if together else situation
    except (ValueError, TypeError) as error:
        print(f"Not shown: {error}.")
        return
    outcomes = situation.explore().outcomes(situation.fate, weights)
    tossed = sample(situation.merged(), situation.fate, runs, SEED, weights) if runs else None
    rows = chances.chances(outcomes, tossed)
    display(Picture(chances.chances_svg(rows), chances.chances_sentence(rows)))
    say(f"{chances.chances_claim(rows)}.")
    show_table(chances.chances_table(rows), folded="the bars as a table")


def show_mutation(name: str) -> None:
    """What a mutation changes, as a diff of the model's file."""
    mutation = mutations.get(name)
    say(mutation.what)
    print(mutations.diff(mutation))
