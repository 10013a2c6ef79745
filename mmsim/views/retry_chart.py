"""The retry law as a curve, the learner's guess on it, and what was measured beside it.

Interface: retry_law, ASKED

Left: the exact law over the time for which a reference is held.  Right: shares of measured pins, as
points with intervals, over the time at which a reference was dropped.  The two have the y axis in
common and nothing else: a tick is no microsecond.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmsim.evidence.measured import RELEASES, VARIANTS, Share, releases
from mmsim.retrylaw import Retrying, success
from mmsim.views.figures import STYLE, Chart, legend, panelled
from mmsim.views.svg import BLUE, INK, MUTED, ORANGE, VERMILION

ASKED = {"held 10 ticks": 10, "held 100 ticks": 100, "held 1,000 ticks": 1000}
HOLDS = tuple(sorted({round(10 ** (i / 20)) for i in range(88)}))
"""1 to 22,387 ticks, evenly on a logarithmic axis."""
# Where groups of measured 50-microsecond bins begin: narrow where something happens.
EDGES = (0, 150, 250, 350, 450, 550, 650, 750, 850, 950, 1250, 2000, 3000, 4500)
SHOWN = {VARIANTS[0]: ("o", BLUE), VARIANTS[-1]: ("D", VERMILION)}
_USUAL = Retrying()


def _tried(setting: Retrying) -> str:
    """How often, and how far apart."""
    if setting.passes == 1:
        return "1 pass"
    return f"{setting.passes} passes, {setting.gap:,} tick{'s' * (setting.gap > 1)} apart"


def _met(setting: Retrying) -> str:
    """Who does not let go by chance; empty if everybody does."""
    parts = []
    if setting.permanent:
        parts.append(f"{float(setting.permanent):.0%} never dropped")
    if setting.parked:
        after = "drained" if setting.drain else "not drained"
        parts.append(f"{float(setting.parked):.0%} parked, {after}")
    return ", ".join(parts)


def _percent(part: Any) -> str:
    """What is not certain does not look so by being rounded."""
    said = f"{float(100 * part):.1f} %"
    return "over 99.9 %" if said == "100.0 %" and part < 1 else said


def _sentence(setting: Retrying, hold: int | None) -> str:
    found = [f"{_percent(success(setting, h))} for {h:,} ticks" for h in ASKED.values()]
    held = f" Held for {hold:,} on average: {_percent(success(setting, hold))}." if hold else ""
    return (
        f"{'; '.join(filter(None, (_tried(setting), _met(setting))))}: a window of "
        f"{setting.window:,} ticks. A later pass finds the reference gone in {', '.join(found)} of "
        f"average holding.{held}"
    )


def retry_law(
    setting: Retrying = _USUAL,
    guess: Mapping[str, int] | None = None,
    hold: int | None = None,
) -> Chart:
    """The chance that a later pass finds the reference gone, over the average holding time.

    `guess`: an answer for each of ASKED, drawn on the curve.  `hold`: a time to point at,
    in ticks.  Raises LawError for a setting that makes no sense."""
    import matplotlib
    import pandas as pd

    predicted = guess or {}
    columns = {"the law": [_percent(success(setting, h)) for h in ASKED.values()]}
    if predicted:
        columns = {"predicted": [f"{predicted[name]} %" for name in ASKED], **columns}
    index = pd.Index([*ASKED.values()], name="held, ticks on average")
    table = pd.DataFrame(columns, index=index, dtype=object)
    sentence = _sentence(setting, hold)
    with matplotlib.rc_context(STYLE):
        figure = _draw(setting, predicted, hold)
    alt = f"Two panels with a common y axis: a falling curve, and measured points. {sentence}"
    return Chart(figure, sentence, table, alt)


def _draw(setting: Retrying, predicted: Any, hold: int | None) -> Any:
    found = {variant: releases(variant, EDGES) for variant in SHOWN}
    counts = ", ".join(
        f"{sum(share.trials for _, share in points)} {variant}" for variant, points in found.items()
    )
    title = (
        f"{_tried(setting)}: who keeps it much longer than {setting.window:,} ticks still has it"
    )
    note = f"right: data/kernel-runs/{RELEASES}, pins: {counts}; 95 % intervals"
    figure, (law, measured) = panelled(2, title, note)
    handles = _draw_law(law, setting, predicted, hold)
    handles += _draw_measured(measured, found)
    law.set_ylim(-0.03, 1.05)
    law.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    figure.subplots_adjust(left=0.085, right=0.98)
    law.set_ylabel("gone in time")
    measured.set_ylabel("pin succeeded")
    legend(figure, handles)
    return figure


def _draw_law(panel: Any, setting: Retrying, predicted: Any, hold: int | None) -> list[Any]:
    handles = []
    if setting != _USUAL:
        usual = [float(success(_USUAL, h)) for h in HOLDS]
        handles += panel.plot(HOLDS, usual, ":", color=MUTED, label=_tried(_USUAL))
    curve = [float(success(setting, h)) for h in HOLDS]
    handles += panel.plot(HOLDS, curve, "-", color=BLUE, linewidth=2.4, label="the law")
    if setting.window > 1:
        panel.axvline(setting.window, color=MUTED, linewidth=1, linestyle="--")
        where = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
        panel.annotate("window", (setting.window, 1.02), fontsize=9, color=MUTED, **where)
    if predicted:
        handles += panel.plot(
            list(ASKED.values()), [predicted[name] / 100 for name in ASKED], "D", color=ORANGE,
            markeredgecolor=INK, markersize=8, label="your guess",
        )  # fmt: skip
    if hold:
        panel.plot([hold], [float(success(setting, hold))], "o", color=BLUE, mec=INK, markersize=9)
    _powers(panel, 1, HOLDS[-1])
    panel.set_xlabel("average holding time, ticks", labelpad=1)
    met = _met(setting)
    panel.set_title(f"The law: {met}" if met else "The law", fontsize=11, loc="left")
    return handles


def _powers(panel: Any, low: int, high: int) -> None:
    """A logarithmic x axis with powers of ten written out; quicker to draw than the usual one."""
    panel.set_xscale("log")
    panel.minorticks_off()
    ticks = [10**i for i in range(6) if low <= 10**i <= high]
    panel.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    panel.set_xlim(low, high)


def _draw_measured(panel: Any, found: dict[str, list[tuple[float, Share]]]) -> list[Any]:
    handles = []
    for variant, (sign, colour) in SHOWN.items():
        points = found[variant]
        parts = [share.part for _, share in points]
        below = [share.part - share.interval[0] for _, share in points]
        above = [share.interval[1] - share.part for _, share in points]
        drawn = panel.errorbar(
            [where for where, _ in points], parts, [below, above], fmt=f"{sign}-", color=colour,
            markersize=5.5, markeredgecolor=INK, linewidth=0.8, elinewidth=1, capsize=2.5,
            label=f"measured, {variant}",
        )  # fmt: skip
        handles.append(drawn)
    _powers(panel, 50, 15_000)
    panel.set_xlabel("reference dropped, µs after the pin began", labelpad=1)
    panel.set_title("Measured: dropped at a set time", fontsize=11, loc="left")
    return handles
