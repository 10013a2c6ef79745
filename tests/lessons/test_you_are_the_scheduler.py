"""The game's judges, what is counted in the text, and the levels."""

from __future__ import annotations

import re

import pytest
from small import all_runs
from views.svg_rules import readable

from mmsim.engine.explore import explore
from mmsim.engine.trace import Trace
from mmsim.lessons import you_are_the_scheduler as lesson
from mmsim.scenarios import split_race
from mmsim.scenarios.situation import fails
from mmsim.views import game

RACE = lesson.RACE


@pytest.fixture(autouse=True)
def all_open():
    for name in ("at_check", "at_freeze", "piece", "rescue", "failing", "claims", "together"):
        getattr(lesson, name).forget()


def said(card, answer):
    """What a card says to a first and to a second wrong answer."""
    verdict = card.judge(answer)
    assert verdict.state == "failed"
    return verdict.why, verdict.second


def test_every_schedule_is_a_cell_of_the_picture():
    """Against an enumerator that knows nothing of the picture, and against the search."""
    ends = [RACE.fate(state) for _, state in all_runs(split_race("base", released="1", order=1))]
    cells = lesson.schedules()
    assert len(cells) == len(ends) == lesson.N_SCHEDULES == RACE.explore().schedules()
    assert sorted(cells.values()) == sorted(ends)
    assert RACE.explore().states == lesson.SMALL_RACE.explore().states == lesson.N_STATES
    assert lesson.failing.outcome() == {"check": 7 * 3, "freeze": 3 * 4}
    readable(lesson.grid().svg)
    assert "33 of 73 schedules fail" in lesson.grid().words


@pytest.mark.parametrize(("steps", "at"), [(6, 9), (8, 13)])
def test_when_a_refused_split_ends(steps, at):
    events = game.played(f"split*{steps} holder split*99", RACE).events
    assert sum(event.actor == "split" for event in events) == at


@pytest.mark.parametrize(
    ("name", "schedule", "won"),
    [
        ("at_check", "split*6 holder split*13", True),
        ("at_freeze", "split*6 holder split*9", False),
        ("at_freeze", "split*8 holder*2 holder split*99", False),
        ("piece", "pin*22 holder pin*60", True),
        ("rescue", "pin*14 holder pin*2 holder pin*90", True),
        ("rescue", "holder*2 pin*99", False),
    ],
)
def test_a_level_is_judged_by_its_run_and_who_has_finished_is_left_alone(name, schedule, won):
    assert (lesson.LEVELS[name].won(game.played(schedule, lesson.LEVELS[name].situation))) is won
    assert getattr(lesson, name).answer(schedule).settled is won


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("split*99", "after this schedule: split"),
        ("splitt*3", "no actor 'splitt'"),
        ("split*6 holder", "split can go on: are all references to huge page A known?"),
        ("split*6 holder", "holder can go on: drop a reference"),
        ("__import__('os')", "can't read"),
    ],
)
def test_a_schedule_that_does_not_do_is_told_why(answer, told):
    assert told in said(lesson.at_check, answer)[0]
    shown = repr(lesson.run(answer))
    assert "Not played" in shown or "after this schedule" in shown


def test_a_level_won_in_the_widget_is_stored_in_its_card():
    box = lesson.game.play()
    box.text.value = "split*6 holder split*99"
    box.load.click()
    assert lesson.at_check.settled
    assert lesson.at_check.stored == "split*6 holder split*3"


def test_what_can_not_be_played_is_said():
    for text, level in (("split*3", "at_chek"), ("split*3", 5), (None, "piece")):
        assert "Not played" in repr(lesson.run(text, level))


def test_the_kind_is_known_as_soon_as_the_main_actor_has_returned():
    """Nothing that the others still do changes it, so a game need not be played to its end."""
    for situation in {level.situation for level in lesson.LEVELS.values()}:
        found = explore(situation)
        ended = [s for _, s in found.walk() if situation.local(s, situation.main).finished]
        assert {f for s in ended if fails(f := situation.fate(s))} == {*game.kinds(situation)[0]}


@pytest.mark.parametrize("name", lesson.LEVELS)
def test_nothing_that_is_shown_before_an_answer_wins_a_level(name):
    """No form, title, picture or goal holds a schedule that wins, or would if it were played on."""
    level, card = lesson.LEVELS[name], getattr(lesson, name)
    assert not level.won(Trace(level.situation))
    boards = [repr(board._repr_mimebundle_()) for board in (lesson.game, lesson.pin_game)]
    told = " ".join([card.headline, card.text, card.form, level.title, level.goal, *boards])
    lines = re.findall(r"(?:(?:split|pin|holder)(?:\*\d+)? ?)+", f"{told} {card.form}")
    assert any("*" in line for line in lines)
    for line in lines:
        for more in ("", f" {level.situation.main}*999"):
            try:
                trace = game.played(line + more, level.situation)
            except ValueError:
                continue  # of another level
            assert not level.won(trace), line


def test_a_split_in_a_pin_has_the_same_steps():
    """The text: they are steps 9 to 21 of 87, and a refused split is over two steps later."""
    steps = [event.op.kind.name for event in RACE.replay("split*13").events]
    pin = [event.op.kind.name for event in lesson.PIN.with_(holder=0).run().events]
    assert lesson.PIN.version.name == "v2"
    assert len(pin) == 87
    assert pin[8:21] == steps == [c.removesuffix("()") for c in lesson.steps_table().iloc[:, 0]]
    refused = [event.op.kind.name for event in lesson.PIN.replay("pin*8 holder pin*9").events]
    assert refused[-3:] == ["can_split_folio", "count_vm_events", "folio_unlock"]


@pytest.mark.parametrize(
    ("claim", "line"), [("checked", "split*7 holder"), ("mapped", "split*9 holder split*3")]
)
def test_a_wrong_holds_is_answered_with_a_shortest_run(claim, line):
    right = lesson.claims.outcome()
    first, second = said(lesson.claims, {**right, claim: "holds"})
    assert f"`{claim}`: there is a schedule" in first
    assert line not in first
    assert f"Play `{line}`: " in second
    first, second = said(lesson.claims, {**right, "alone": "broken"})
    assert "none of all 55 states" in second
    assert "Play `split*11 holder`" in said(lesson.claims, {**right, "piece": "broken"})[1]


def test_a_search_that_stops_early_says_less():
    early = list(lesson.claims_table(40)["verdict"])
    assert early == ["search not finished", "broken", "search not finished", "holds"]
    assert list(lesson.claims_table()["verdict"]) == ["holds", "broken", "broken", "holds"]
    for stopped in (10, 25, 40):
        for name, finding in lesson.findings(stopped).items():
            kind = "always" if lesson.CLAIMS[name].always else "sometimes"
            said_so = f"{kind}_{finding.verdict.value}"
            assert lesson.verdicts.outcome().get(said_so, lesson.SURE) == lesson.SURE


def test_a_pair_that_leaves_a_failure_is_answered_with_one():
    for letter in "abc":
        first, second = said(lesson.together, {"stretch": letter, "check": True})
        assert "Which?" in first
        assert "after `split*" in second
    assert "refused at the freeze" in lesson.refusals("c")
    assert list(lesson.refusals("d")) == ["refused at the check"]
    wrong = said(lesson.together, {"stretch": "d", "check": False})
    assert "comes before the stretch" in wrong[0]
    assert "refused at the check" in wrong[1]
    assert lesson.together.answer("d", True).settled
