"""The palette in both themes to five kinds of eyes: three kinds of colour blindness and grey by
simulation, and the dark theme by the filter that `widgets/board.py` gives to pictures.

The measure is the ratio of WCAG.  Words must have 4.5 to 1.  Kinds that stand in one picture have
patterns of their own (test_state.py), so what else must be seen is the pattern on its ground."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from test_state import TEXT_PAIRS

from mmsim.views import svg
from mmsim.views.show import SIGNS, marked_line
from mmsim.widgets.board import STYLE

# Machado, Oliveira and Fernandes 2009, at full strength, on linear RGB; and luminance alone.
EYES = {
    "usual": np.eye(3),
    "protanopia": [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]],
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritanopia": [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]],
    "grey": [[0.2126, 0.7152, 0.0722]] * 3,
}
SEEN = 2.5
# The filter turns hues by 180 degrees: the matrix of the standard, with cosine -1 and sine 0.
TURN = 2 * np.array([[0.213, 0.715, 0.072]] * 3) - np.eye(3)


def rgb(colour):
    return np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def linear(colour):
    parts = rgb(colour)
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def contrast(*colours, eyes="usual"):
    """The ratio of WCAG, from 1 to 21."""
    seen = [np.clip(EYES[eyes] @ linear(colour), 0, 1) for colour in colours]
    dark, light = sorted(np.dot(EYES["grey"][0], each) + 0.05 for each in seen)
    return light / dark


def dark(colour):
    amount = float(re.findall(r"invert\((.*?)\) hue-rotate\(180deg\)", STYLE)[0])
    turned = TURN @ (amount - (2 * amount - 1) * rgb(colour))
    return "#" + "".join(f"{round(255 * part):02X}" for part in np.clip(turned, 0, 1))


@pytest.mark.parametrize("eyes", EYES)
def test_every_pattern_is_seen_by_every_eye(eyes):
    for fill, shade in itertools.product(svg.FILLS.values(), (str, dark)):
        found = contrast(shade(fill.ground), shade(fill.mark), eyes=eyes)
        assert found >= SEEN, f"{fill.name} to {eyes} in {shade.__name__}: {found:.1f}"


@pytest.mark.parametrize("pair", TEXT_PAIRS)
def test_words_stand_out_in_a_light_and_a_dark_page(pair):
    assert contrast(*pair) >= 4.5
    assert contrast(*map(dark, pair)) >= 4.5


@pytest.mark.parametrize(("words", "page"), [("#212121", "#FFFFFF"), ("#E0E0E0", "#111111")])
@pytest.mark.parametrize("sign", SIGNS)
def test_signs_of_cards_stand_out_in_both_themes_of_jupyterlab(sign, words, page):
    colour, part = re.findall(r"(#\w{6}) (\d+)%, currentColor", marked_line(f"{sign} Right"))[0]
    mixed = (rgb(colour) * int(part) + rgb(words) * (100 - int(part))) / 100
    mixed = "#" + "".join(f"{round(255 * part):02X}" for part in mixed)
    assert contrast(mixed, page) >= 4.5
