"""Moments, runs and situations show themselves."""

from __future__ import annotations

import re
from html import unescape

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import RichOutput, capture_output
from view_states import run

from mmsim.scenarios import vfio_map
from mmsim.views import show
from mmsim.views.svg import Picture, Svg

VALUES = {
    "a moment": (lambda: run("base").at("can_split_folio"), "can_split_folio() says no"),
    "a run": (lambda: run("base"), "pin returns -ENOMEM"),
    "a situation": (lambda: vfio_map("v2"), "version v2"),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_cell_that_ends_with_an_object_shows_a_picture_and_says_it(name):
    make, words = VALUES[name]
    shell = InteractiveShell.instance()
    show.install()
    shell.user_ns["value"] = make()
    with capture_output() as seen:
        shell.run_cell("value")
    (picture,) = (output for output in seen.outputs if isinstance(output, RichOutput))
    assert picture.data["text/html"].count("data:image/svg+xml;base64,") == 2
    assert words in seen.stdout
    assert words in picture.data["text/plain"]


def test_several_values_are_told_as_they_are_shown():
    """In a list, out of a generator, or as one that shows itself."""
    parts = ["one", Picture("<svg/>", "a picture"), 3]
    for several in (parts, tuple(parts), iter(parts), dict.fromkeys(parts)):
        assert show.as_text(several) == "one\n\n[Picture: a picture]\n\n3"
    html = "<p>one</p>"
    for several in (["one"], iter(["one"]), {"one"}, show.Shown(lambda: iter(["one"]))):
        assert show.as_html(several) == html
        several = iter(["one"]) if hasattr(several, "__next__") else several
        assert show.as_text(several) == "one"


def test_the_words_of_a_picture_may_hold_quotes_in_each_column():
    words = 'The "pin" & <it>'
    columns = [Svg(10, 10, words, words).render()] * 2
    html = Picture(columns, words)._repr_html_()
    assert [*map(unescape, re.findall(r'alt="([^"]*)"', html))] == [words, words]
