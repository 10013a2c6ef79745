"""Static twins: a picture, a small table and a sentence as ordinary output of a cell.

Interface: Picture, Table, locked, say, After, and the `show_` functions

What a widget shows is gone without a kernel (on GitHub, in print, for a screen reader); what these
functions show is stored in the notebook.  With `after`, a prediction or the name of a task, nothing
is shown before there is an answer, right or wrong.
"""

from __future__ import annotations

import textwrap
from typing import Any

from IPython.display import Image, display

from mmsim.checks import ANSWERED
from mmsim.engine.trace import Trace
from mmsim.lessons import Prediction
from mmsim.views.figures import Chart
from mmsim.views.memory import machine
from mmsim.views.run import fold
from mmsim.views.show import LINE_MAX, Picture, Table, moment

LOCKED = "Shown once {what}; then run this cell again."
After = Prediction | str | None


def locked(after: After) -> bool:
    """Is there no answer yet?  Then say what has to be answered."""
    if isinstance(after, str):
        answered, what = after in ANSWERED, f"you have answered {after}"
    else:
        answered, what = after is None or after.stored is not None, "your prediction is stored"
    if not answered:
        print(LOCKED.format(what=what))
    return not answered


def say(sentence: str) -> None:
    """Print a sentence; a notebook would break a longer line in the middle of a word."""
    print(textwrap.fill(sentence, LINE_MAX, break_long_words=False, break_on_hyphens=False))


def show_state(trace: Trace, row: int = -1, *, region: str = "A", after: After = None) -> None:
    """The state after a row of the run (negative: from the end), as the stepper shows it."""
    if locked(after):
        return
    row = row if row >= 0 else len(fold(trace)) + 1 + row
    for shown in moment(trace, row, region=region):
        display(shown)


def show_memory(
    text: str,
    zone: str | None = None,
    node: int | None = None,
    order: int | None = None,
) -> None:
    """A pasted /proc/buddyinfo, /proc/pagetypeinfo or /proc/zoneinfo: picture, words, tables.

    `zone`, `node`: which zone, by default the one with most free memory; `order`: the order asked
    about.  What can't be read is answered by one sentence."""
    try:
        seen = machine(text, zone, node, order)
    except ValueError as error:
        print(f"Can't be read: {error}")
        return
    if seen.svg:
        display(Picture(seen.svg, seen.sentence))
    say(seen.sentence)
    show_table(seen.table)
    show_table(seen.zones)


def show_chart(chart: Chart, *, after: After = None) -> None:
    """A chart, its sentence and its table."""
    if not locked(after):
        display(Image(chart.png(), alt=chart.sentence))
        say(chart.sentence)
        show_table(chart.table)


def show_table(table: Any, *, folded: str = "", after: After = None) -> None:
    """A pandas table, or a sentence.  `folded`: a line that opens a long one."""
    if locked(after):
        return
    if isinstance(table, str):
        print(table)
    else:
        display(Table(table, folded))
