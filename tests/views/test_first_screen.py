"""The first screen: what is stored is what the model says, and every picture of it is readable."""

from __future__ import annotations

import build_first_screen as build
import pytest
from svg_rules import readable, words

from mmsim.views import first_screen as first
from mmsim.views.svg import BAD

SETTINGS = [(kernel, lets_go) for kernel in first.KERNELS for lets_go in first.LETS_GO]
# A run that moves 512 pages takes most of a second, so not all of those are made again.
ASKED = [s for s in SETTINGS if s[0] == "base" or s[1] == "never"]
ASKED += [("v1", "5"), ("v2", "nobody")]


@pytest.mark.parametrize("setting", ASKED, ids=" ".join)
def test_what_is_stored_is_what_the_model_says(setting):
    """If it is not: python tools/build_first_screen.py."""
    assert [*build.stops_of(build.setting(*setting).run())] == first.stops(*setting)


@pytest.mark.parametrize("setting", SETTINGS[:2] + SETTINGS[-11::5], ids=" ".join)
def test_every_stop_can_be_read(setting):
    way = first.stops(*setting)
    for n in range(1, len(way) + 1):
        left, right = first.memory_svg(way[:n]), first.way_svg(way[:n])
        readable(left)
        readable(right)
        assert BAD not in right
        place = way[n - 1].place
        assert place != "refused" or "✘ 515 ≠ 514 expected" in words(left)
        compared = [word[0] in "✔✘" for word in words(left) if word.endswith("expected")]
        judged = place in ("refused", "let go", "again", "given up", "end")
        assert all(sign == judged for sign in compared)
        assert not any(word.endswith("…") for word in [*words(left), *words(right)])


def test_the_still_frames_say_in_words_what_they_show():
    for setting in SETTINGS:
        svg = first.frame_svg(*setting)
        readable(svg)
        end = first.stops(*setting)[-1]
        for name, n in end.counted.items():
            assert f"{name} {n}" in first.setting_words(*setting)
            assert str(n) in words(svg)
        assert ("✔ the machine starts" in words(svg)) == end.starts
