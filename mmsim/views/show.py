"""Objects show themselves: a moment, a run or a situation as a picture, a text and a table.

`parts` says of what each is made; `install` tells IPython, so that a cell that ends with such an
object shows it.  The engine knows nothing of this.
"""

from __future__ import annotations

import sys
from functools import singledispatch
from typing import Any, NamedTuple

from mmsim.engine.trace import Moment, Trace
from mmsim.scenarios import Situation
from mmsim.views.columns import columns_svg
from mmsim.views.run import summary
from mmsim.views.shown import Picture, Table, as_text, two_columns
from mmsim.views.state import state_svg, state_table
from mmsim.views.tables import steps
from mmsim.views.words import sentence


class Parts(NamedTuple):
    """What there is to see of an object: an SVG, lines of text, a table."""

    svg: str
    words: str
    table: Any


@singledispatch
def parts(value: Any, **how: Any) -> Parts:
    """The picture, the text and the table of an object."""
    raise TypeError(f"there is no picture of {value!r}")


@parts.register
def _(moment: Moment, *, region: str = "A") -> Parts:
    facts = two_columns(state_table(moment, region=region))
    return Parts(state_svg(moment, region=region), sentence(moment), facts)


@parts.register
def _(trace: Trace) -> Parts:
    return Parts(columns_svg(trace), summary(trace), steps(trace))


@parts.register
def _(situation: Situation) -> Parts:
    start = Trace(situation).at(0)
    words = f"{situation.name}, version {situation.version.name}. {sentence(start)}"
    knobs = [(name, str(value)) for name, value in situation.knobs.items()]
    return Parts(state_svg(start), words, two_columns(knobs))


def show(value: Any, **how: Any) -> None:
    """Display an object in a notebook."""
    display = sys.modules["IPython.display"].display
    svg, words, table = parts(value, **how)
    display(Picture(svg, words))
    for line in words.splitlines():
        print(as_text(line))
    display(Table(table, "The same as a table"))


def install() -> None:
    """Let the IPython that runs this show such objects by itself; without one, do nothing."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None:
        for kind in (Moment, Trace, Situation):
            shell.display_formatter.ipython_display_formatter.for_type(kind, show)
