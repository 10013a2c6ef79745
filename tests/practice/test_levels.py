"""Levels: every one can be won and lost, and what a press does is what the model does."""

from __future__ import annotations

import pytest
from small import all_runs

from mmsim.engine.explore import explore
from mmsim.engine.scenario import Move
from mmsim.engine.schedule import parse, render, replaying
from mmsim.engine.trace import Trace, record
from mmsim.practice import game, levels
from mmsim.scenarios import SMALL, pin_versus, split_race, vfio_map
from mmsim.scenarios.fates import fails

# One schedule that reaches the goal of each level.
WINS = {
    "check": "split*6 stranger split*3",
    "freeze": "split*8 stranger split*5",
    "piece": "pin*21 stranger pin*50",
    "rescue": "pin*5 stranger pin*15 stranger pin*99",
    "walk": "pin*20 drop_caches*2 pin*13 drop_caches pin*6",
}


def test_every_level_has_a_winning_schedule_here():
    assert list(WINS) == levels.names()


@pytest.mark.parametrize("name", WINS)
def test_a_level_is_not_won_from_the_start_and_can_be_won(name):
    level = levels.level(name)
    moves = parse(WINS[name], [actor.name for actor in level.situation.actors])
    trace = Trace(level.situation)
    won = [level.won(trace)]
    for move in moves:
        if level.situation.blocked(trace.last, move.actor) is None:
            trace.append(move)
            won.append(level.won(trace))
    assert not won[0]
    assert won[-1]
    assert not level.won(level.situation.replay(""))


@pytest.mark.parametrize("name", WINS)
def test_a_level_can_be_lost(name):
    """Whoever goes last wins nothing: the main actor alone meets nobody."""
    level = levels.level(name)
    main = level.situation.main
    trace = Trace(level.situation)
    game.press(trace, Move(main), game.ALL)
    assert level.situation.local(trace.last, main).finished
    assert not level.won(trace)


def test_the_kinds_of_failure_are_the_ones_that_brute_force_finds():
    situation = split_race("base", released="1")
    found, complete = game.kinds(situation)
    ends = {situation.fate(state) for _, state in all_runs(situation)} - {"split"}
    assert complete
    assert (
        set(found)
        == ends
        == {
            "failed: a huge page could not be split, still mapped",
            "failed: a huge page could not be split, left unmapped",
        }
    )


def test_the_kind_is_known_as_soon_as_the_main_actor_has_returned():
    """Nothing that the others still do changes it, so a game need not be played to its end."""
    for name in levels.names():
        situation = levels.level(name).situation
        found = explore(situation)
        fates = {
            situation.fate(state)
            for state in found.found
            if situation.local(state, situation.main).finished
        }
        assert set(filter(fails, fates)) == {*game.kinds(situation)[0]}


def test_stands_name_the_next_step_or_say_why_not():
    situation = split_race("base", released="1")
    trace = situation.replay("split*6 stranger")
    split, stranger = game.stands(situation, trace.last)
    assert [(c.move, c.step) for c in split.choices] == [(Move("split"), "can_split_folio()")]
    assert split.choices[0].words == "are all references to huge page A known?"
    assert stranger.choices[0].words == "drop a reference to huge page A"
    frozen = situation.replay("split*10")
    _, stranger = game.stands(situation, frozen.last)
    assert stranger.choices == ()
    assert stranger.why == "waits to folio_get(): A is frozen: its count is 0"
    ended = situation.replay("split*6 stranger split*3 stranger")
    assert [stand.why for stand in game.stands(situation, ended.last)] == [
        "has returned -EBUSY",
        "has no further step",
    ]


def test_each_outcome_of_the_environment_is_a_choice_of_its_own():
    situation = vfio_map("v3", targets="either", order=1)
    trace = situation.replay("pin*7")
    pin, _ = game.stands(situation, trace.last)
    assert [str(choice.move) for choice in pin.choices] == ["pin:ok", "pin:fail"]
    assert pin.choices[0].words.endswith(": there is one")


def test_what_a_press_does():
    situation = split_race("base", released="1")

    def pressed(grain, start=""):
        trace = situation.replay(start)
        game.press(trace, Move("split"), grain)
        return render(trace.moves)

    assert pressed(game.STEP) == "split"
    # folio_lock() is try_split_thp()'s own; what follows is split_huge_page_to_list()'s.
    assert pressed(game.FUNCTION) == "split"
    assert pressed(game.FUNCTION, "split*3") == "split*11"
    assert pressed(game.ALL) == "split*13"
    assert pressed(game.ALL, "split*6 stranger") == "split*6 stranger split*3"


def test_a_coarse_press_stops_at_a_choice_and_at_a_blocked_step():
    situation = vfio_map("v3", targets="either", order=1)
    trace = Trace(situation)
    game.press(trace, Move("pin"), game.ALL)
    assert render(trace.moves) == "pin*7"
    race = split_race("base", released="1")
    held = race.replay("split*10")
    with pytest.raises(Exception, match="frozen"):
        game.press(held, Move("stranger"), game.ALL)


def test_an_unknown_level_gets_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'freeze'"):
        levels.level("freez")


def test_a_refusal_counts_where_it_happened():
    race = split_race("base", released="1", passes=2)
    twice = record(
        race, replaying(parse("split*6 stranger split*3 stranger split*13", ["split", "stranger"]))
    )
    assert levels.refused_at(twice, "can_split_folio")
    assert not levels.refused_at(twice, "folio_ref_freeze")
    assert race.outcome(twice.last) == "split"


@pytest.mark.parametrize("seed", [*range(40), levels.SEEDS_MAX])
def test_every_dare_can_be_won_and_is_the_same_again(seed):
    level, again = levels.dare(seed), levels.dare(seed)
    assert level[:3] == again[:3]
    assert game.same(level.situation, again.situation)
    found = level.situation.explore()
    ends = set(found.ends)
    wanted = [
        number
        for number, state in found.walk(ends)
        if number in ends
        and f"this: {level.situation.fate(state).removeprefix('failed: ')}. Given: " in level.goal
    ]
    trace = record(level.situation, replaying(found.schedule_to(wanted[0])))
    assert level.won(trace)
    assert not level.won(Trace(level.situation))


@pytest.mark.parametrize("seed", [-1, levels.SEEDS_MAX + 1, "3", True, None, 2.0])
def test_other_seeds_get_a_sentence(seed):
    with pytest.raises(ValueError, match="a seed is a whole number from 0 to 999,999, not"):
        levels.dare(seed)


def test_seeds_draw_different_dares():
    assert len({levels.dare(seed).goal for seed in range(40)}) > 3
    assert len({levels.dare(seed).situation.name for seed in range(40)}) == 2


def test_what_somebody_types_is_a_schedule():
    race = split_race("base", released="1")
    trace = game.played(" split*6 stranger split*3 ", race)
    assert trace.moves == race.replay("split*6 stranger split*3").moves
    assert game.played("", race).moves == []
    for wrong in ("splitt*3", "pin*3", "stranger:ok", "__import__('os')"):
        with pytest.raises(ValueError, match=r"splitt|actor|read|write"):
            game.played(wrong, race)


@pytest.mark.parametrize(
    ("typed", "moves"),
    [
        ("split*99", "split*13"),
        ("stranger*9 split*99", "stranger*2 split*13"),
        ("split*6 stranger split*13 stranger*13", "split*6 stranger split*3 stranger"),
    ],
)
def test_who_has_finished_is_left_alone(typed, moves):
    race = split_race("base", released="1")
    assert game.played(typed, race).moves == race.replay(moves).moves
    with pytest.raises(ValueError, match="finished"):
        race.replay(typed)


def test_who_waits_is_not_left_alone():
    """Nobody can tell what was meant by a step that can't be made yet."""
    pin = pin_versus("v3", **SMALL)
    with pytest.raises(ValueError, match="can't move"):
        game.played("drop_caches*4 pin*99 drop_caches*99", pin)


def test_what_can_come_is_said_of_everybody():
    race = split_race("base", released="1")
    assert game.coming(race, race.replay("split*6 stranger").last).splitlines() == [
        "split can go on: are all references to huge page A known? (can_split_folio())",
        "stranger can go on: drop a reference to huge page A (folio_put())",
    ]
    assert "split has returned -EBUSY" in game.coming(race, level_1(race).last)


def level_1(race):
    return race.replay("split*6 stranger split*3")


@pytest.mark.parametrize(
    ("seed", "told"),
    [
        (3, "Given: the split has 2 tries; 1 stranger who never lets go."),
        (2, "Given: the split has 1 try; 1 stranger who never lets go."),
        (4, "Given: the split has 1 try; 2 strangers who never let go."),
        (9, "Given: version 6.1.0, 2 passes; 1 stranger who lets go again."),
        (5, "whether a huge page is free is up to you (pin:ok, pin:fail)."),
    ],
)
def test_a_dare_says_what_is_given(seed, told):
    assert levels.dare(seed).goal.endswith(told)


def test_any_situation_can_be_played_without_a_goal():
    level = levels.level(vfio_map("v2"))
    assert level.name == levels.FREE
    assert not level.won(level.situation.run())
    assert levels.level(level) is level
