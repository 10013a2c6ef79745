"""The time at which a reference is dropped, and the share of pins that fail: measured and model.

Interface: timed_release
"""

from __future__ import annotations

from typing import Any

from mmsim.evidence import timed
from mmsim.evidence.measured import TIMED, VARIANTS
from mmsim.views.figures import STYLE, Chart, legend, panelled
from mmsim.views.svg import BLUE, INK, ORANGE, PAPER, VERMILION

WORDS = {"injected": "failure injected", "fragmented": "really fragmented"}
# Each with a shape and a kind of line besides its colour, and a little beside the other's points.
MARKS = {
    "injected": ("o", VERMILION, BLUE, "-", -14),
    "fragmented": ("s", PAPER, ORANGE, "--", 14),
}
STEP_US = 10


def timed_release() -> Chart:
    """Measured pins, points with intervals, and the model's, lines, over the release time.

    One number is fitted: microseconds per unit of the clock (`mmsim.evidence.timed`)."""
    import matplotlib
    import pandas as pd

    unit = timed.microseconds_per_unit()
    found = {(v, how): timed.closeness(v, how) for v in VARIANTS for how in TIMED}
    table = pd.DataFrame(
        [
            [c.pins, round(c.measured), round(c.model), f"{100 * c.apart:.0f} %"]
            for c in found.values()
        ],
        index=pd.MultiIndex.from_tuples(
            [(v, WORDS[how]) for v, how in found], names=["variant", "no huge page:"]
        ),
        columns=["pins", "turns at, measured (µs)", "turns at, model (µs)", "shares apart"],
        dtype=object,
    )
    base, last = VARIANTS[0], VARIANTS[-1]
    gains = {how: round(found[last, how].model) - round(found[base, how].model) for how in TIMED}
    said = " and ".join(f"{gains[how]} µs ({WORDS[how]})" for how in TIMED)
    apart = [c.apart for c in found.values()]
    sentence = (
        f"Ten attempts reach later than one: in the model, with {unit} µs per unit of its clock, "
        f"{last} survives references that are dropped up to {said} later than {base} does. "
        f"Measured and model's shares are {100 * min(apart):.0f} % to {100 * max(apart):.0f} % "
        "apart on average."
    )
    counts = {how: sum(found[v, how].pins for v in VARIANTS) for how in TIMED}
    files = ", ".join(f"{TIMED[how]} ({n} pins)" for how, n in counts.items())
    note = f"data/kernel-runs/: {files}; loop {timed.LOOP}, one huge page; 95 % intervals"
    title = "How late may a reference go? The patch moves the line, and compaction moves it further"
    with matplotlib.rc_context(STYLE):
        figure = _draw(title, note, unit)
    return Chart(figure, sentence, table, f"Three panels of points and rising lines. {sentence}")


def _draw(title: str, note: str, unit: float) -> Any:
    figure, panels = panelled(len(VARIANTS), title, note)
    figure.texts[0].set_fontsize(12)
    handles: list[Any] = []
    for panel, variant in zip(panels, VARIANTS, strict=True):
        handles = []
        for how, (shape, fill, colour, dash, beside) in MARKS.items():
            times = range(0, timed.LATEST_US + 1, STEP_US)
            shares = [timed.share_failed(variant, how, t, unit) for t in times]
            handles += panel.plot(
                times, shares, dash, color=colour, linewidth=2, label=f"model, {how}"
            )
            measured = sorted(timed.bins(timed.trials(how, variant)).items())
            at = [start + timed.BIN_US / 2 + beside for start, _ in measured]
            parts = [share.part for _, share in measured]
            below = [share.part - share.interval[0] for _, share in measured]
            above = [share.interval[1] - share.part for _, share in measured]
            points = panel.errorbar(
                at, parts, [below, above], fmt=shape, color=fill, ecolor=INK, capsize=3,
                elinewidth=0.8, markersize=6, markeredgecolor=INK, label=f"measured, {how}",
            )  # fmt: skip
            handles.append(points)
        panel.set_title(f"{variant} (model: {timed.version_of(variant)})", fontsize=11, loc="left")
        panel.set_xlabel("reference dropped at (µs)", labelpad=1)
        panel.set_xlim(0, timed.LATEST_US)
        panel.set_xticks(range(0, timed.LATEST_US, 250))
    panels[0].set_ylim(-0.03, 1.05)
    panels[0].set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    panels[0].set_ylabel("pins that fail")
    figure.subplots_adjust(left=0.085)
    legend(figure, handles)
    return figure
