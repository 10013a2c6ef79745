"""Moments, runs and situations show themselves in a notebook."""

from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import RichOutput, capture_output
from view_states import run

from mmsim.scenarios import vfio_map
from mmsim.views import show

VALUES = {
    "a moment": (lambda: run("base").at("can_split_folio"), "can_split_folio() says no"),
    "a run": (lambda: run("base"), "pin returns -ENOMEM"),
    "a situation": (lambda: vfio_map("v2"), "version v2"),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_cell_that_ends_with_an_object_shows_a_picture_and_says_it(name: str) -> None:
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


def test_what_has_no_picture_says_so() -> None:
    with pytest.raises(TypeError, match="no picture of 3"):
        show.picture(3)
