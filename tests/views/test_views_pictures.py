"""Every picture is well formed, readable, and says nothing by colour alone."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest
from svg_rules import NS, references_are_defined, texts_fit, texts_stand_apart
from view_states import STATES, run, state

from mmsim.engine.trace import Trace
from mmsim.views import svg as style
from mmsim.views.run import fold
from mmsim.views.state import layout, standing, state_svg, state_table
from mmsim.views.svg import (
    ACTOR_FILLS,
    FILLS,
    HELD,
    MIGRATETYPES,
    OUTCOMES,
    TEXT_PAIRS,
    Svg,
    initials,
    wrap,
)


def _pictures() -> Iterator[tuple[Trace, int, str]]:
    """Every position of two short runs, every row of a long one, and the golden states."""
    for trace in (run("base"), run("base", taken="0.site2"), run("v1", targets="available")):
        for position in range(0, len(trace) + 1):
            yield trace, position, "A"
    for trace in (run("v2", released="1"), run("base", thps=2, stranger=2)):
        for row in fold(trace):
            for region in {f.region: 0 for f in trace.state(0).world.folios.values()}:
                yield trace, row.end, region
    for name in STATES:
        yield *state(name), "A"


@pytest.fixture(scope="module")
def roots() -> list[ET.Element]:
    return [ET.fromstring(state_svg(t, p, region=r)) for t, p, r in _pictures()]


def test_well_formed_with_title_and_description(roots: list[ET.Element]) -> None:
    for root in roots:
        assert root.get("role") == "img"
        assert root.get("viewBox") == "0 0 1120 600"
        assert root[0].tag == f"{NS}title"
        assert root[1].tag == f"{NS}desc"
        assert root[0].text
        assert root[1].text
        assert root[1].text.startswith(root[0].text)


def test_every_text_fits_its_box_and_the_picture(roots: list[ET.Element]) -> None:
    for root in roots:
        texts_fit(root)


def test_no_two_texts_overlap(roots: list[ET.Element]) -> None:
    for root in roots:
        texts_stand_apart(root)


def test_every_reference_in_a_picture_is_defined_in_it(roots: list[ET.Element]) -> None:
    for root in roots:
        references_are_defined(root)


def test_two_pictures_on_one_page_do_not_share_names() -> None:
    trace = run("base")
    names = [set(re.findall(r'id="([^"]+)"', state_svg(trace, p))) for p in (15, 16)]
    assert not names[0] & names[1]


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(("text", "ground"), TEXT_PAIRS)
def test_text_stands_out(text: str, ground: str) -> None:
    light, dark = sorted((_luminance(text), _luminance(ground)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_text_colours_in_pictures_are_the_checked_ones(roots: list[ET.Element]) -> None:
    known = {ink for ink, _ in TEXT_PAIRS} | {style.PANEL}  # the word "head", white on ink
    for root in roots:
        assert {text.get("fill") for text in root.iter(f"{NS}text")} <= known


def test_no_two_fills_of_a_kind_differ_by_colour_alone() -> None:
    kinds = [
        list(MIGRATETYPES.values()),
        list(HELD.values())[:-1],
        [FILLS["counted on"], FILLS["not counted on"]],
        list(ACTOR_FILLS),
    ]
    for fills in kinds:
        assert len({fill.pattern for fill in fills}) == len(fills)
    assert len({sign for _, sign in OUTCOMES.values()}) == len(OUTCOMES)


def test_every_meaning_of_a_picture_is_also_in_words(roots: list[ET.Element]) -> None:
    for (trace, position, region), root in zip(_pictures(), roots, strict=True):
        words = " ".join(text.text or "" for text in root.iter(f"{NS}text"))
        for kind, n in layout(trace.state(position).world, region).counts():
            assert f"{n} in {'CMA' if kind == 'CMA' else 'ordinary memory'}" in words
        for actor in trace.scenario.actors:
            assert actor.name in words


def test_initials_are_unique() -> None:
    names = ["pin", "putter", "stranger", "s2", "reader"]
    assert list(initials(names).values()) == ["P", "P2", "S", "S2", "R"]


def test_the_table_says_what_the_picture_says() -> None:
    facts = dict(state_table(*state("base_refused_at_the_check")))
    assert facts["split pre-check, checked just now"].endswith("1 == 515 - 512 - 1 is not equal")
    assert "stranger: 1 reference" in facts["references on huge page A"]
    assert facts["step"] == "16 of 21"


def test_wrapping_and_clipping() -> None:
    lines = wrap("one two three four five six seven", 60, 13, 2)
    assert len(lines) == 2
    assert lines[-1].endswith("…")
    svg = Svg(100, 20, "t", "d")
    svg.text(0, 10, "a < b & c", 100)
    assert "a &lt; b &amp; c" in svg.render()


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({}, "no further step; keeps its reference"),
        ({"refs": 3}, "no further step; keeps its 3 references"),
        ({"released": 1}, "has finished"),
    ],
)
def test_who_keeps_a_reference_has_not_just_finished(knobs: dict[str, object], said: str) -> None:
    trace = run("v2", **knobs)
    assert standing(trace, len(trace), "stranger") == said
    assert standing(trace, len(trace), "pin").startswith("has finished: ")
