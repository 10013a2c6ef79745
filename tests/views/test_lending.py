"""The picture of eight allocations: readable at every setting, and true to the numbers."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET

import pytest
from svg_rules import NS, references_are_defined, texts_fit, texts_stand_apart

from mmsim.practice.loans import lending
from mmsim.views.lending import HEIGHT, WIDTH, lending_sentence, lending_svg, lending_table


@pytest.mark.parametrize("scattered", ["no", "yes"])
@pytest.mark.parametrize("movable", ["no", "yes"])
def test_pictures_can_be_read_at_every_setting(movable, scattered):
    for cma, free, order in itertools.product((0, 50, 80), (0, 10, 100), (0, 9, 10)):
        made = lending(cma=cma, free=free, order=order, movable=movable, scattered=scattered)
        root = ET.fromstring(lending_svg(made))
        assert root.get("role") == "img"
        assert root[1].text.startswith(root[0].text)
        texts_fit(root)
        texts_stand_apart(root)
        references_are_defined(root)
        assert root.get("viewBox") == f"0 0 {WIDTH:g} {HEIGHT:g}"
        assert "…" not in "".join(text.text for text in root.iter(f"{NS}text"))
        words = [text.text for text in root.iter(f"{NS}text")]
        landed = [grant.place for grant in made.grants]
        assert words.count("refused") == sum(place == "-ENOMEM" for place in landed)
        assert len(lending_table(made)) == 8
        assert lending_sentence(made).startswith("8 allocations of")


@pytest.mark.parametrize(
    ("knobs", "rule"),
    [
        ({}, "Where CMA reaches beyond the half line"),
        ({"cma": 25, "free": 60, "scattered": "yes"}, "nothing else of this size was free"),
        ({"movable": "no"}, "gets no CMA"),
    ],
)
def test_the_rule_under_the_bars_is_the_one_that_decided(knobs, rule):
    assert rule in lending_svg(lending(**knobs))
