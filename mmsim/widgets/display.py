"""Static twins: a picture, a small table and a sentence as ordinary output of a cell.

Interface: show_state, show_ledger, show_trace, show_flow, show_chart, show_table, show_diff,
show_side_by_side, show_diagnosis, show_policies, show_story

What a widget shows is gone without a kernel (on GitHub, in print, for a screen reader); what these
functions show is stored in the notebook.  With `after`, a prediction or the name of a task, nothing
is shown before there is an answer, right or wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from IPython.display import Image, display

from mmsim.benches import Bench
from mmsim.checks import ANSWERED
from mmsim.diagnose import diagnose
from mmsim.engine.trace import Trace
from mmsim.lessons import Prediction
from mmsim.mm import versions
from mmsim.trials import TRIALS
from mmsim.views import account, charts, diagnosis, flow, picture, side_by_side, story, text
from mmsim.views.fold import fold_once
from mmsim.views.practice import worked
from mmsim.views.trials import Policy, policy_table

LINE_MAX = 60
LOCKED = "Shown once {what}; then run this cell again."
After = Prediction | str | None


class Picture:
    """An SVG with a text that stands for it where pictures can't be shown."""

    def __init__(self, svg: str, words: str):
        self.svg = svg
        self.words = words

    def __repr__(self) -> str:
        return self.words

    def _repr_svg_(self) -> str:
        return self.svg


class Table:
    """A pandas table: text on the left, whole, each heading in a cell of its own.

    A column with sentences in it is wrapped."""

    def __init__(self, frame: Any):
        self.frame = frame

    def __repr__(self) -> str:
        return str(self.frame.to_string())

    def _repr_html_(self) -> str:
        import pandas as pd

        left = 'style="text-align:left;white-space:nowrap;padding:0.3em 0.8em"'
        wrapped = left.replace("nowrap", "normal;min-width:15em")
        flat = self.frame.reset_index()
        if isinstance(flat.columns, pd.MultiIndex):
            flat.columns = [" ".join(filter(None, map(str, name))) for name in flat.columns]
        keys = self.frame.index.nlevels
        head = "".join(f'<th scope="col" {left}>{escape(str(name))}</th>' for name in flat.columns)
        rows = [f"<thead><tr>{head}</tr></thead>"]
        body = list(flat.itertuples(index=False))
        long = [max(len(str(cell)) for cell in column) for column in zip(*body, strict=True)]
        styles = [wrapped if width > LINE_MAX else left for width in long]
        for row in body:
            tags = ['th scope="row"'] * keys + ["td"] * (len(row) - keys)
            cells = (
                f"<{t} {style}>{escape(str(c))}</{t[:2]}>"
                for t, style, c in zip(tags, styles, row, strict=True)
            )
            rows.append(f"<tr>{''.join(cells)}</tr>")
        return f"<table>{''.join(rows)}</table>"


def _locked(after: After) -> bool:
    if isinstance(after, str):
        answered, what = after in ANSWERED, f"you have answered {after}"
    else:
        answered, what = after is None or after.stored is not None, "your prediction is stored"
    if not answered:
        print(LOCKED.format(what=what))
    return not answered


def show_state(trace: Trace, row: int = -1, *, region: str = "A", after: After = None) -> None:
    """The state after a row of the run (negative: from the end), as the stepper shows it."""
    if _locked(after):
        return
    rows = fold_once(trace)
    row = row if row >= 0 else len(rows) + 1 + row
    position = rows[row - 1].end if row else 0
    svg = picture.state_svg(trace, position, region=region)
    display(Picture(svg, text.sentence(trace, position)))
    show_table(_two_columns(picture.state_table(trace, position)))


def show_ledger(bench: Bench, *, after: After = None) -> None:
    """Who refers to a page: its ledger as a picture, a sentence and a table."""
    if _locked(after):
        return
    trace = bench.run()
    display(Picture(account.account_svg(trace), account.account_sentence(trace)))
    print(account.account_sentence(trace))
    show_table(worked(bench))


def _two_columns(rows: list[tuple[str, str]]) -> Any:
    import pandas as pd

    index = pd.Index([name for name, _ in rows], name="what")
    return pd.DataFrame({"value": [value for _, value in rows]}, index=index)


def show_trace(trace: Trace, *, width: int = 100, after: After = None) -> None:
    """The whole run as text: every step, then what came of it."""
    if not _locked(after):
        print(text.step_table(trace, width=width))
        print()
        print(text.summary(trace))


def show_flow(trace: Trace, *, after: After = None) -> None:
    """The decisions this run took, as a flow chart and a sentence."""
    if not _locked(after):
        display(Picture(flow.flow_svg(trace), flow.flow_sentence(trace)))
        print(flow.flow_sentence(trace))


def show_chart(chart: charts.Chart, *, after: After = None) -> None:
    """A chart, its sentence and its table."""
    if not _locked(after):
        display(Image(chart.png(), alt=chart.sentence))
        print(chart.sentence)
        show_table(chart.table)


def show_table(table: Any, *, after: After = None) -> None:
    """A pandas table, or the sentence that stands for it while it is locked."""
    if _locked(after):
        return
    if isinstance(table, str):
        print(table)
    else:
        display(Table(table))


def show_diff(before: str, after: str) -> None:
    """What differs between two versions, as a unified diff of the model's seams."""
    print(versions.diff(before, after) or f"{before} and {after} behave alike.")


def show_side_by_side(old: str, new: str, *, after: After = None) -> None:
    """Two versions or policies of the model, place by place, and a sentence."""
    if not _locked(after):
        words = side_by_side.side_by_side_sentence(old, new)
        display(Picture(side_by_side.side_by_side_svg(old, new), words))
        print(words)


def show_diagnosis(
    before: str, after: str | None = None, *, kernel: str | None = None, unlock: After = None
) -> None:
    """Which paths explain what moved between two texts of /proc/vmstat, or a list of counters.

    What can't be used is told in one sentence.  `unlock`: see `after` of the others."""
    if _locked(unlock):
        return
    try:
        print(diagnosis.report(diagnose(before, after, kernel), width=100), end="")
    except ValueError as error:
        print(f"Can't be diagnosed: {error}.")


def show_policies(
    policies: Mapping[str, Policy], trials: Iterable[str] = tuple(TRIALS), *, after: After = None
) -> None:
    """Versions, policies, or functions of one's own: how likely a pin gets through with each.

    A function that loops, raises or answers nonsense is told in one sentence."""
    if _locked(after):
        return
    try:
        show_table(policy_table(policies, trials))
    except ValueError as error:
        print(f"Can't be judged: {error}.")


def show_story() -> None:
    """The report as a row of pictures."""
    display(Picture(story.story_svg(), story.story_sentence()))
