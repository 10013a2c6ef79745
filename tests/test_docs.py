"""What docs/ says is what the programs say: its commands are run, its numbers made again."""

from __future__ import annotations

import re

import pytest
from failure_odds import ANY_STEP, TOGETHER, failure_odds
from tool_rule import ROOT
from views.svg_rules import readable

from benchmarks import growth
from mmsim.amounts import chance
from mmsim.cli import main
from mmsim.evidence.measured import VERSION_OF, Share
from mmsim.lessons.how_likely import measured_pins
from mmsim.scenarios.situation import ALL_MOVED, MISSED, NO_MEMORY, NOT_SPLIT

SEARCH = (ROOT / "docs" / "search.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"```console\n\$ mmsim ([^\n]*)\n(.*?)```", SEARCH, re.DOTALL)
assert len(COMMANDS) == 2  # with none the test below would be left out


@pytest.mark.parametrize(("words", "says"), COMMANDS)
def test_a_command_prints_what_is_written(capsys, words, says):
    assert main(words.split()) == 0
    assert capsys.readouterr().out.rstrip() == says.rstrip()


VERSIONS = ("base", "6.1.0", "v1", "v3")
KINDS = {name: (loop, kind) for (loop, kind, fix), name in VERSION_OF.items() if fix == "1"}


def measured(version, scenario, field):
    """A share of measured pins; a dash for a version that was not measured."""
    if version not in KINDS:
        return "—"
    loop, kind = KINDS[version]
    pins = measured_pins(kind, scenario, loop=loop)
    share = Share(getattr(pins, field), pins.failed.trials)
    return f"{share} ({100 * share.part:.1f} %)"


@pytest.mark.slow
def test_the_ways_to_fail_are_those_of_the_model_and_of_the_data():
    odds = {version: failure_odds(version) for version in VERSIONS}
    made = [
        (f"model: {when}", way, [chance(odds[version][when].get(way, 0)) for version in VERSIONS])
        for when in (TOGETHER, ANY_STEP)
        for way in (NOT_SPLIT, MISSED, NO_MEMORY, ALL_MOVED)
    ]
    made += [
        (f"measured: {what}", way, [measured(version, scenario, field) for version in VERSIONS])
        for what, scenario in (
            ("one drop_caches, one huge page", "S4_once_n1"),
            ("all set-ups", ""),
        )
        for way, field in ((NOT_SPLIT, "huge_page_left"), (MISSED, "only_pieces_left"))
    ]
    rows = [(what if way == NOT_SPLIT else "", way, " | ".join(row)) for what, way, row in made]
    assert re.findall(r"^\| *([^|]*?) *\| (failed[^|]*?) \| (.*) \|$", SEARCH, re.MULTILINE) == rows


# -- growth


@pytest.mark.parametrize(("version", "thps", "passes"), [("base", 1, 10), ("v3", 1, 2)])
def test_the_growth_table_is_what_the_search_finds(version, thps, passes):
    assert growth.search(version, thps, passes) in growth.read()


def test_picture_and_text_say_what_the_growth_table_does():
    points = growth.read()
    written = growth.PICTURE.read_text(encoding="utf-8")
    assert written == growth.picture(points)
    readable(written)
    states = {point[:3]: point.states for point in points}
    for thps in growth.THPS:
        assert len({states["base", thps, passes] for passes in growth.PASSES}) == 1
    assert {states["v3", 1, n + 1] - states["v3", 1, n] for n in growth.PASSES[:-1]} == {873}
    assert "873 with one" in SEARCH
