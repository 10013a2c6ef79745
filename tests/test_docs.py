"""What docs/ says is what the programs say: its commands are run, its numbers made again."""

from __future__ import annotations

import re

import pytest
from tool_rule import ROOT
from views.svg_rules import readable

from benchmarks import growth
from mmsim.cli import main
from mmsim.views.waystofail import failure_table

SEARCH = (ROOT / "docs" / "search.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"```console\n\$ mmsim ([^\n]*)\n(.*?)```", SEARCH, re.DOTALL)


@pytest.mark.parametrize(("words", "says"), COMMANDS)
def test_a_command_prints_what_is_written(capsys, words, says):
    assert main(words.split()) == 0
    assert capsys.readouterr().out.rstrip() == says.rstrip()


def test_there_is_a_command():
    assert len(COMMANDS) == 1


def test_the_ways_to_fail_are_those_of_the_model_and_of_the_data():
    found = failure_table(("base", "6.1.0", "v1", "v3"))
    written = re.findall(r"^\| *([^|]*?) *\| (failed[^|]*?) \| (.*) \|$", SEARCH, re.MULTILINE)
    assert [(way, cells.split(" | ")) for _, way, cells in written] == [
        (way, list(cells)) for (_, way), cells in zip(found.index, found.to_numpy(), strict=True)
    ]
    titles = [title for title, _, _ in written if title]
    assert titles == list(dict.fromkeys(title for title, _ in found.index))


# -- growth

CHEAP = [("base", 1, 10), ("base", 3, 2), ("v3", 1, 1), ("v3", 1, 10), ("v3", 2, 1)]


@pytest.mark.parametrize(("version", "thps", "passes"), CHEAP)
def test_the_growth_table_is_what_the_search_finds(version, thps, passes):
    assert growth.search(version, thps, passes) in growth.read()


def test_the_growth_picture_is_the_table():
    points = growth.read()
    written = growth.PICTURE.read_text(encoding="utf-8")
    assert written == growth.picture(points)
    readable(written)
    unfinished = [point for point in points if not point.complete]
    assert [point.states > growth.STATES_MAX for point in unfinished] == [True]


def test_what_the_text_says_of_growth():
    states = {point[:3]: point.states for point in growth.read()}
    for thps in growth.THPS:
        assert len({states["base", thps, passes] for passes in growth.PASSES}) == 1
    steps = {states["v3", 1, n + 1] - states["v3", 1, n] for n in growth.PASSES[:-1]}
    assert steps == {873}
    assert "873 with one" in SEARCH
