"""The tree of schedules: folding loses none, and the picture can be read."""

from __future__ import annotations

import pytest
from small import all_runs, cells, nop
from svg_rules import readable, words

from mmsim.engine.explore import explore
from mmsim.scenarios import pin_versus, split_race, vfio_map
from mmsim.views.tree import ROWS_MAX, tree_sentence, tree_svg, tree_table
from mmsim.views.treefold import NOT_SEARCHED, fold, rows

LEAVES = {"released": "1"}
SITUATIONS = {
    "race": split_race(**LEAVES),
    "race that never ends well": split_race(),
    "three passes": split_race("v3", passes=3, **LEAVES),
    "two strangers": split_race("v3", strangers=2, **LEAVES),
    "pin": vfio_map("v3", order=2, **LEAVES),
    "choices": vfio_map("v2", order=1, targets="either", passes=2, **LEAVES),
}


@pytest.fixture(params=SITUATIONS, scope="module")
def situation(request):
    return SITUATIONS[request.param]


@pytest.fixture(scope="module")
def found(situation):
    return situation.explore()


def parts(folded):
    """A fold and everything inside it."""
    yield folded
    for stop in folded.stops:
        for side in stop.sides:
            yield from parts(side.to)
    if folded.rest is not None:
        yield from parts(folded.rest)


def test_no_schedule_is_lost(situation, found):
    root = fold(found, situation.fate)
    outcomes = {o.name: o.schedules for o in found.outcomes(situation.fate)}
    assert dict(root.counts) == outcomes
    assert root.schedules == found.schedules()
    for part in parts(root):
        inside = [side.to for stop in part.stops for side in stop.sides]
        inside += [part.rest] if part.rest else []
        if inside:
            for name, n in part.counts:
                assert n == sum(dict(each.counts).get(name, 0) for each in inside)
            assert len(part.counts) > 1


def test_the_same_counts_by_trying_every_schedule():
    race = SITUATIONS["race"]
    runs = all_runs(race)
    root = fold(race.explore(), race.fate)
    # The first branch: the stranger comes before the check, at one of the first seven places.
    get = root.stops[0].sides[0]
    assert (get.step, root.stops[0].places) == ("folio_get", (7, 7))
    first = [
        race.fate(state)
        for moves, state in runs
        if [m.actor for m in moves].index("stranger") < root.stops[0].places[0]
    ]
    assert dict(get.to.counts) == {name: first.count(name) for name in first}


def test_the_smallest_race_has_eight_rows():
    """Golden: seven places before the check, three before the freeze, then it is too late."""
    race = SITUATIONS["race"]
    lines = rows(fold(race.explore(), race.fate), ROWS_MAX)
    assert [(line.depth, line.fold.schedules, len(line.fold.counts)) for line in lines] == [
        (0, 73, 3),
        (1, 49, 2),
        (2, 28, 1),
        (2, 21, 1),
        (1, 18, 2),
        (2, 6, 1),
        (2, 12, 1),
        (1, 6, 1),
    ]


@pytest.mark.parametrize("most", [1, 3, 8, 15, 22, 60])
def test_rows_fit_and_add_up(situation, found, most):
    lines = rows(fold(found, situation.fate), most)
    assert len(lines) <= most
    for i, line in enumerate(lines):
        below = []
        for other in lines[i + 1 :]:
            if other.depth <= line.depth:
                break
            if other.depth == line.depth + 1:
                below.append(other.fold.schedules)
        assert bool(below) == line.opened
        assert sum(below) in (0, line.fold.schedules)


def test_pictures_are_readable(situation, found):
    root = fold(found, situation.fate)
    svg = tree_svg(root)
    readable(svg)
    assert svg == tree_svg(fold(situation.explore(), situation.fate))
    assert f"{root.schedules:,}" in words(svg)
    assert tree_sentence(root).startswith(f"{root.schedules:,} schedules in all.")


def test_a_large_one_is_readable_too():
    situation = pin_versus("base", order=1, passes=2)
    svg = tree_svg(fold(situation.explore(), situation.fate))
    readable(svg)
    assert len(words(svg)) < 300


def test_the_table_says_the_same_as_the_picture(situation, found):
    root = fold(found, situation.fate)
    table = tree_table(root)
    assert len(table) == len(rows(root, ROWS_MAX))
    whole = table.iloc[0]
    assert whole["schedules"] == sum(whole.iloc[1:]) == root.schedules


def test_independent_actors_make_one_leaf():
    def path():
        for _ in range(3):
            yield nop()

    root = fold(explore(cells(path, path)), lambda state: "done")
    assert (root.counts, root.stops, root.rest) == ((("done", 20),), (), None)


def test_what_was_not_searched_is_a_part_of_its_own():
    race = split_race(**LEAVES).merged()
    found = explore(race, states_max=20)
    root = fold(found, race.fate)
    assert NOT_SEARCHED in dict(root.counts)
    readable(tree_svg(root))


def test_a_path_without_end_is_one_leaf():
    def forever():
        while True:
            yield nop()

    root = fold(explore(cells(forever, merge=True)), lambda state: "done")
    assert root.counts == (("goes on for ever", 1),)
