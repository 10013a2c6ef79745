"""What docs/ says is what the programs say: its commands are run, its numbers made again."""

from __future__ import annotations

import re

import pytest
from failure_odds import ANY_STEP, TOGETHER, failure_odds
from tool_rule import ROOT
from views.svg_rules import readable

from benchmarks import growth
from benchmarks.__main__ import NAMES as BENCHMARKS
from mmsim.cli import main
from mmsim.evidence.measured import VERSION_OF, Share, measured_pins
from mmsim.scenarios.situation import ALL_MOVED, MISSED, NO_MEMORY, NOT_SPLIT
from mmsim.views.words import chance

SEARCH = (ROOT / "docs" / "search.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"```console\n\$ mmsim ([^\n]*)\n(.*?)```", SEARCH, re.DOTALL)


@pytest.mark.parametrize(("words", "says"), COMMANDS)
def test_a_command_prints_what_is_written(capsys, words, says):
    assert len(COMMANDS) == 2
    assert main(words.split()) == 0
    assert capsys.readouterr().out.rstrip() == says.rstrip()


def measured(version, scenario, field):
    """A share of measured pins; a dash for a version that was not measured."""
    kinds = {name: (loop, kind) for (loop, kind, fix), name in VERSION_OF.items() if fix == "1"}
    if version not in kinds:
        return "—"
    loop, kind = kinds[version]
    pins = measured_pins(kind, scenario, loop=loop)
    share = Share(getattr(pins, field), pins.failed.trials)
    return f"{share} ({100 * share.part:.1f} %)"


def ways_to_fail(versions):
    """The rows of the table: odds of every way to fail, and what was measured."""
    odds = {version: failure_odds(version) for version in versions}
    rows = {}
    for when in (TOGETHER, ANY_STEP):
        for way in (NOT_SPLIT, MISSED, NO_MEMORY, ALL_MOVED):
            cells = [chance(odds[version][when].get(way, 0)) for version in versions]
            rows[f"model: {when}", way] = cells
    for what, scenario in (
        ("one drop_caches, one huge page", "S4_once_n1"),
        ("all set-ups", ""),
    ):
        for way, field in ((NOT_SPLIT, "huge_page_left"), (MISSED, "only_pieces_left")):
            cells = [measured(version, scenario, field) for version in versions]
            rows[f"measured: {what}", way] = cells
    return rows


@pytest.mark.slow
def test_the_ways_to_fail_are_those_of_the_model_and_of_the_data():
    found = ways_to_fail(("base", "6.1.0", "v1", "v3"))
    written = re.findall(r"^\| *([^|]*?) *\| (failed[^|]*?) \| (.*) \|$", SEARCH, re.MULTILINE)
    rows = [(way, cells) for (_, way), cells in found.items()]
    assert [(way, cells.split(" | ")) for _, way, cells in written] == rows
    titles = [title for title, _, _ in written if title]
    assert titles == list(dict.fromkeys(title for title, _ in found))


# -- growth

CHEAP = [("base", 1, 10), ("v3", 1, 2)]


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


def test_every_command_of_the_table_of_trust_is_there():
    rows = re.findall(
        r"^\|.*\| `([^`]+)` \|$", (ROOT / "docs" / "trust.md").read_text(), re.MULTILINE
    )
    makefile = (ROOT / "Makefile").read_text()
    for command in rows:
        first, *rest = command.split()
        if first.partition("=")[0].isupper():  # a setting of the environment, then pytest
            first, rest = rest[-1], []
        if first == "make":
            assert re.search(rf"^{rest[0]}:", makefile, re.MULTILINE), command
        elif first == "python":
            assert rest[:2] == ["-m", "benchmarks"], command
            assert {*rest[2:]} <= {*BENCHMARKS}, command
        else:
            assert (ROOT / first).is_file(), command
    assert len(rows) >= 7
