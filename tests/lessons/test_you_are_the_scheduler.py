"""The game's judges, what is counted in the text, and the levels."""

from __future__ import annotations

import pytest
from small import all_runs
from views.svg_rules import readable

from mmsim.engine.explore import explore
from mmsim.engine.schedule import render
from mmsim.engine.trace import Trace
from mmsim.lessons import you_are_the_scheduler as lesson
from mmsim.scenarios import split_race
from mmsim.scenarios.mutants import look_at_nothing
from mmsim.scenarios.situation import fails
from mmsim.views import game

RACE = lesson.RACE


@pytest.fixture(autouse=True)
def all_open():
    for name in ("at_check", "at_freeze", "piece", "rescue", "claims", "mutants", "together"):
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
    assert lesson.n_failing() == sum(map(fails, ends)) == 33 == 7 * 3 + 3 * 4
    assert RACE.explore().states == lesson.SMALL_RACE.explore().states == lesson.N_STATES
    assert len(RACE.replay("split*13")) == 13
    readable(lesson.grid_svg())


@pytest.mark.parametrize("name", lesson.LEVELS)
def test_every_level_can_be_won_and_is_not_won_at_once(name):
    level = lesson.LEVELS[name]
    assert not level.won(Trace(level.situation))
    situation = level.situation
    found = situation.explore()
    for number, _ in found.walk(set(found.ends)):
        if number in found.ends and level.won(situation.replay(render(found.schedule_to(number)))):
            return
    pytest.fail(f"{name} can't be won")


@pytest.mark.parametrize(
    ("name", "schedule", "won"),
    [
        ("at_check", "split*6 holder split*13", True),
        ("at_check", "split*8 holder split*5", False),
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
    assert "Not played" in shown or "So far" in shown


def test_a_level_won_in_the_widget_is_stored_in_its_card():
    box = lesson.play_game()
    box.text.value = "split*6 holder split*99"
    box.load.click()
    assert lesson.at_check.settled
    assert lesson.at_check.stored == "split*6 holder split*3"


def test_whose_turn_it_can_be_is_named_or_why_not():
    ended = RACE.replay("split*6 holder split*3 holder")
    assert game.coming(ended) == ["split has returned -EBUSY", "holder has no further step"]
    frozen = RACE.replay("split*10")
    assert game.coming(frozen)[1] == "holder waits to folio_get(): A is frozen: its count is 0"
    for text, level in (("split*3", "at_chek"), ("split*3", 5), (None, "piece")):
        assert "Not played" in repr(lesson.run(text, level))


def test_the_kind_is_known_as_soon_as_the_main_actor_has_returned():
    """Nothing that the others still do changes it, so a game need not be played to its end."""
    for situation in {level.situation for level in lesson.LEVELS.values()}:
        found = explore(situation)
        ended = [s for s in found.found if situation.local(s, situation.main).finished]
        assert {f for s in ended if fails(f := situation.fate(s))} == {*game.kinds(situation)[0]}


@pytest.mark.parametrize("seed", range(12))
def test_every_drawn_level_can_be_won_and_is_the_same_again(seed):
    level, again = lesson.drawn_level(seed), lesson.drawn_level(seed)
    assert level[:3] == again[:3]
    found = level.situation.explore()
    ends = [n for n, _ in found.walk(set(found.ends)) if n in found.ends]
    runs = [level.situation.replay(render(found.schedule_to(n))) for n in ends]
    assert any(map(level.won, runs))
    assert not level.won(Trace(level.situation))


@pytest.mark.parametrize(
    ("claim", "line"), [("checked", "split*7 holder"), ("mapped", "split*9 holder split*3")]
)
def test_a_wrong_holds_is_answered_with_a_shortest_run(claim, line):
    right = lesson.claims.solution
    first, second = said(lesson.claims, {**right, claim: "holds"})
    assert f"`{claim}`: there is a schedule" in first
    assert line not in first
    assert f"Play `{line}`: " in second
    first, second = said(lesson.claims, {**right, "alone": "broken"})
    assert "none of all 55 states" in second
    assert "Play `split*11 holder`" in said(lesson.claims, {**right, "piece": "broken"})[1]


def test_a_search_that_stops_early_says_less():
    early = list(lesson.claims_table(40)["verdict"])
    assert early == ["search not finished", "broken", *["search not finished"] * 3, "holds"]
    for stopped in (10, 25, 40):
        for name, finding in lesson.findings(stopped).items():
            kind = "always" if lesson.CLAIMS[name].always else "sometimes"
            said_so = f"{kind}_{finding.verdict.value}"
            assert lesson.verdicts.solution.get(said_so, True)
    for said_so, right in lesson.verdicts.solution.items():
        why, _ = said(lesson.verdicts, {**lesson.verdicts.solution, said_so: not right})
        assert why.endswith("?")


def test_a_pair_that_leaves_a_failure_is_answered_with_one():
    right = lesson.together.solution
    assert "`split*7 holder split*" in said(lesson.together, {**right, "at_the_freeze": "c"})[1]
    told = said(lesson.together, {**right, "at_the_freeze": "e"})[0]
    assert "take two steps of `split`" in told
    for letter in "abcd":
        first, second = said(lesson.together, {**right, "at_all": letter})
        assert "Which?" in first
        assert "after `" in second
    assert lesson.as_one("d").explore().schedules() == lesson.N_STATES == 55  # by chance


@pytest.mark.parametrize("letters", ["bdab", "cbab", "cdbb", "cdaa"])
def test_a_wrong_mutant_is_answered_with_a_run(letters):
    first, second = said(lesson.mutants, dict(zip(lesson.CHANGED, letters, strict=True)))
    assert first.endswith("?")
    assert "`pin*" in second


def test_a_blind_check_cannot_refuse():
    blind = RACE.replacing(can_split_folio=look_at_nothing)
    assert not {"failed: a huge page could not be split, still mapped"} & {
        end.name for end in blind.explore().outcomes(blind.fate)
    }
    assert "left unmapped" in repr(lesson.run("split*6 holder split*99", blind))
