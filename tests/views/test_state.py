"""Every picture is well formed, readable, and says nothing by colour alone."""

from __future__ import annotations

import re
from itertools import product

import pytest
from svg_rules import seen
from view_states import run

from mmsim.constants import MIGRATETYPES
from mmsim.scenarios import SCENARIOS, make, vfio_map
from mmsim.scenarios.observed import regions
from mmsim.views import svg
from mmsim.views.ledger import CHECKED_NOW, CHECKS, describe, ledger_at, ledger_of
from mmsim.views.operations import sentence
from mmsim.views.run_text import fold
from mmsim.views.show import picture
from mmsim.views.state import CODE_LINES, layout, listing, standing, state_picture

# Every pair of text colour and ground that a picture uses.
SPOKEN = (svg.INK, svg.MUTED, svg.BAD, svg.GOOD, svg.WAITS)
TEXT_PAIRS = [
    *product(SPOKEN, (svg.PAPER, svg.PANEL)),
    *product((svg.INK, svg.MUTED), (svg.MARKED, svg.SEAM)),
    *product((svg.INK,), (svg.CHANGED, *(fill.ground for fill in svg.FILLS.values()))),
    (svg.MUTED, svg.FILLS["counted on"].ground),
]


def _pictures():
    """Many positions of short runs, and some of a long one that splits and moves the pieces."""
    for trace in (run("base"), run("base", taken="0.split.freeze"), run("v1", targets="available")):
        for position in range(0, len(trace) + 1, 5):
            yield trace, position, "A"
    long = run("v2", released="1")
    for position in (0, 28, 3000, len(long), *(row.end for row in fold(long)[::40])):
        yield long, position, "A"
    two = run("base", thps=2, holder=2)
    for position, region in product(range(0, len(two), 5), regions(two.last.world)):
        yield two, position, region


def test_every_picture_keeps_the_rules():
    for trace, position, region in _pictures():
        picture = state_picture(trace.at(position), region=region)
        drawn = seen(picture)
        for kind, n in layout(trace.state(position).world, region).counts:
            assert f"{n} in {'CMA' if kind == 'CMA' else 'ordinary memory'}" in drawn
        assert {actor.name for actor in trace.scenario.actors} <= set(drawn)
        inks = set(re.findall(r'<text[^>]* fill="([^"]+)"', picture.svg))
        # The word "head" is white on ink.
        assert inks <= {ink for ink, _ in TEXT_PAIRS} | {svg.PANEL}


SMALL_HOST = {"boot_guest": {"host": 16, "guest": 2, "pin": "none"}}
SHOWN = {name: make(name, knobs=SMALL_HOST.get(name, {})) for name in SCENARIOS}


@pytest.mark.parametrize("situation", [*SHOWN.values(), vfio_map(thps=2)], ids=[*SHOWN, "two"])
def test_a_picture_is_about_the_page_that_its_step_names(situation):
    """And never about one that the situation does not have."""
    trace = situation.run()
    for position in (0, *(row.end for row in fold(trace))):
        moment = trace.at(position)
        there, drawn = regions(moment.world), seen(picture(moment))
        may = there or ["", *regions(trace.last.world)]
        shown = [region for region in may if layout(moment.world, region).title in drawn]
        named = [region for region in there if re.search(rf"page {region}\b", sentence(moment))]
        assert len(shown) == 1
        assert ("There is no page to hold." in drawn) == (not there)
        assert not named or shown[0] in named


def test_no_two_fills_of_a_kind_differ_by_colour_alone():
    kinds = [
        [svg.FILLS[name] for name in MIGRATETYPES],
        [svg.HELD[name] for name in MIGRATETYPES],
        [svg.FILLS["counted on"], svg.FILLS["not counted on"]],
        list(svg.ACTOR_FILLS),
    ]
    for fills in kinds:
        assert len({fill.pattern for fill in fills}) == len(fills)
    assert len({sign for _, sign in svg.OUTCOMES.values()}) == len(svg.OUTCOMES)


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({}, "no further step; keeps its reference"),
        ({"refs": 3}, "no further step; keeps its 3 references"),
        ({"released": 1}, "has finished"),
    ],
)
def test_who_keeps_a_reference_has_not_just_finished(knobs, said):
    trace = run("v2", **knobs)
    assert standing(trace.at(), "holder") == said
    assert standing(trace.at(), "pin").startswith("has finished: ")


# -- the ledger


@pytest.mark.parametrize("knobs", [{}, {"taken": "0.split.freeze"}])
def test_the_ledger_adds_up(knobs):
    trace = run("base", **knobs)
    for position in range(len(trace) + 1):
        for check in ("", *CHECKS):
            ledger = ledger_of(trace.state(position).world, "A", check=check)
            assert ledger.frozen or ledger.held == ledger.folio.refcount
            assert ledger.check.equal == (ledger.check.expected == ledger.held)
            assert ledger.check.numbers in describe(ledger) or not ledger.due


@pytest.mark.parametrize(
    ("version", "knobs"),
    [("base", {"taken": "0.split.freeze"}), ("v1", {"targets": "available"}), ("v2", {"order": 2})],
)
def test_the_ledger_says_what_the_kernels_check_said(version, knobs):
    trace = run(version, **knobs, released="2")
    checked = [n for n, e in enumerate(trace.events, start=1) if e.site in CHECKS]
    for number in checked:
        ledger, *_ = ledger_at(trace.at(number))
        assert ledger.when == CHECKED_NOW
        assert ledger.check.equal == (trace.events[number - 1].answer not in (False, None))
    assert len(checked) > 1


@pytest.mark.parametrize(("version", "knobs"), [("v2", {}), ("base", {"thps": 3})])
def test_every_position_has_code(version, knobs):
    trace = run(version, **knobs)
    for row in fold(trace, short=20):
        shown = listing(trace.at(row.end))
        assert len(shown.lines) <= CODE_LINES
        assert any(line.current for line in shown.lines)
        texts = [line.text for line in shown.lines[1:] if line.number]
        assert min(len(text) - len(text.lstrip()) for text in texts if text) <= 4  # deep code fits
        assert not any('"""' in line.text for line in shown.lines)
        assert not any("/" in name for name in shown.chain)
