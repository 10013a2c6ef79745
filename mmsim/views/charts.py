"""Charts of what was measured, beside what the model says.

Interface: measured_counters, refused_splits

Measured numbers are points with an interval or filled bars, the model's are outlines or a line of
signs.
"""

from __future__ import annotations

from typing import Any

from mmsim.constants import MIGRATE_PASSES
from mmsim.datafiles import load_csv
from mmsim.evidence.kernel_runs import VERSION_OF, Case, predict
from mmsim.evidence.measured import VARIANTS
from mmsim.views.figures import HATCHES, STYLE, Chart, legend, panelled, span
from mmsim.views.svg import BLUE, FILLS, INK, LINE, VERMILION

LOOP, RETFIX = "oct22", "1"
COUNTERS = ("thp_migration_fail", "thp_split_page_failed")
REFUSED = "d_thp_split_page_failed"
GOOD, BAD = FILLS["MOVABLE"], FILLS["UNMOVABLE"]
Measured = dict[str, str]


def _version(variant: str) -> str:
    return VERSION_OF[LOOP, variant, RETFIX]


# -- what the counters say after a pin that met a held reference


def _held_rows() -> tuple[str, dict[str, list[Measured]]]:
    file = "s3_held_reference.csv"
    wanted = {"scenario": "S3_held", "code": LOOP, "retfix": RETFIX, "n_units_2mib": "1"}
    rows = [r for r in load_csv(f"kernel-runs/{file}") if wanted.items() <= r.items()]
    return file, {name: [r for r in rows if r["variant"] == name] for name in VARIANTS}


def _held_for_ever(variant: str, row: Measured) -> dict[str, int]:
    return dict(predict(Case(_version(variant), True, 1, False, int(row["n_refs"]), -1)))


def measured_counters() -> Chart:
    """The reported pair of counters for base, v1 and v2, measured and in the model."""
    import matplotlib
    import pandas as pd

    file, rows = _held_rows()
    measured = {c: {v: [int(r[f"d_{c}"]) for r in rows[v]] for v in VARIANTS} for c in COUNTERS}
    said_by = {v: [_held_for_ever(v, r) for r in rows[v]] for v in VARIANTS}
    model = {c: {v: [found[f"d_{c}"] for found in said_by[v]] for v in VARIANTS} for c in COUNTERS}
    cells = [[span(side[c][v]) for c in COUNTERS for side in (measured, model)] for v in VARIANTS]
    columns = [(c, side) for c in COUNTERS for side in ("measured", "model")]
    table = pd.DataFrame(
        cells,
        index=pd.Index(list(VARIANTS), name="variant", dtype=object),
        columns=pd.MultiIndex.from_tuples(columns),
        dtype=object,
    )
    pairs = {v: " / ".join(str(span(measured[c][v])) for c in COUNTERS) for v in VARIANTS}
    said = "; ".join(f"{v} {pair}" for v, pair in pairs.items())
    verdict = "the model says the same" if measured == model else "the model differs, see the table"
    what = f"{' / '.join(COUNTERS)} after one pin that met a held reference"
    sentence = f"{what}, measured: {said}; {verdict}."
    counts = span([len(rows[v]) for v in VARIANTS])
    spread = any(isinstance(span(seen), str) for c in COUNTERS for seen in measured[c].values())
    same = "" if spread else ", all equal"
    note = f"data/kernel-runs/{file}: S3_held, loop {LOOP}, one huge page, {counts} runs each{same}"
    title = f"A reference that is never dropped: {said}"
    with matplotlib.rc_context(STYLE):
        figure = _counters_figure(measured, model, title, note, spread)
    alt = f"Two panels of bars with points on them. {sentence}"
    return Chart(figure, sentence, table, alt)


def _counters_figure(
    measured: dict[str, dict[str, list[int]]],
    model: dict[str, dict[str, list[int]]],
    title: str,
    note: str,
    spread: bool,
) -> Any:
    figure, panels = panelled(len(COUNTERS), title, note)
    bars = points = None
    for panel, counter in zip(panels, COUNTERS, strict=True):
        places = range(len(VARIANTS))
        outline = [max(model[counter][v]) for v in VARIANTS]
        bars = panel.bar(
            places, outline, 0.62, facecolor="none", edgecolor=BLUE, linewidth=1.6, hatch="..",
            label="model",
        )  # fmt: skip
        seen = [measured[counter][v] for v in VARIANTS]
        middle = [sum(values) / len(values) for values in seen]
        below = [m - min(values) for m, values in zip(middle, seen, strict=True)]
        above = [max(values) - m for m, values in zip(middle, seen, strict=True)]
        points = panel.errorbar(
            places, middle, [below, above], fmt="D", color=VERMILION, ecolor=INK, capsize=9,
            capthick=1.4, markersize=8, markeredgecolor=INK,
            label="measured: mean, least to most" if spread else "measured",
        )  # fmt: skip
        for place, values in zip(places, seen, strict=True):
            where = {"xytext": (0, 10), "textcoords": "offset points", "ha": "center"}
            panel.annotate(str(span(values)), (place, max(values)), fontweight="bold", **where)
        panel.set_title(counter, fontsize=11, loc="left")
        panel.set_xticks(places, [f"{v}\n(model: {_version(v)})" for v in VARIANTS])
        panel.set_xlim(-0.6, len(VARIANTS) - 0.4)
    highest = max(max(values) for c in COUNTERS for values in measured[c].values())
    panels[0].set_ylim(0, highest * 1.22)
    panels[0].set_ylabel("increase during one pin")
    legend(figure, [bars, points])
    return figure


# -- how many splits were refused before the end


def _fates() -> tuple[str, dict[str, dict[tuple[int, bool], int]]]:
    """For each variant: (refused splits, pinned?) -> how many pins."""
    file = "s3_timed_release.csv"
    wanted = {"code": LOOP, "retfix": RETFIX, "backing": "thp", "alloc_mode": "inject"}
    fates: dict[str, dict[tuple[int, bool], int]] = {name: {} for name in VARIANTS}
    for row in load_csv(f"kernel-runs/{file}"):
        if wanted.items() <= row.items() and row["variant"] in fates:
            fate = int(row[REFUSED]), row["pin_errno"] == "0"
            fates[row["variant"]][fate] = fates[row["variant"]].get(fate, 0) + 1
    return file, fates


def _predicted(variant: str, refused: int) -> bool | None:
    """Is the pin successful in the model after so many refused splits?  None: that can't happen."""
    until = -1 if refused == MIGRATE_PASSES else refused
    found = dict(predict(Case(_version(variant), True, 1, False, 1, until)))
    return found["pin_errno"] == 0 if found[REFUSED] == refused else None


def refused_splits() -> Chart:
    """One reference, dropped at a given time: pins by the number of splits refused before."""
    import matplotlib
    import pandas as pd

    file, fates = _fates()
    refusals = range(MIGRATE_PASSES + 1)
    signs = {True: "pinned", False: "fails", None: "never"}
    model = {v: [_predicted(v, k) for k in refusals] for v in VARIANTS}
    cells: list[list[object]] = []
    for k in refusals:
        cells.append([])
        for v in VARIANTS:
            counts = [fates[v].get((k, ok), 0) for ok in (True, False)]
            cells[-1] += [*counts, signs[model[v][k]]]
    columns = [(v, what) for v in VARIANTS for what in ("pinned", "failed", "model")]
    table = pd.DataFrame(
        cells,
        index=pd.Index(list(refusals), name="refused splits"),
        columns=pd.MultiIndex.from_tuples(columns, names=["variant", ""]),
        dtype=object,
    )
    totals = {v: sum(fates[v].values()) for v in VARIANTS}
    agree = sum(n for v in VARIANTS for (k, ok), n in fates[v].items() if model[v][k] is ok)
    parts = [f"{v} {_won(fates[v])} of {totals[v]}{_last(fates[v])}" for v in VARIANTS]
    all_ = sum(totals.values())
    sentence = (
        f"Pins that succeeded with the same schedules: {'; '.join(parts)}. Told the number of "
        f"refused splits, the model predicts the result of {agree:,} of {all_:,} pins."
    )
    note = (
        f"data/kernel-runs/{file}: loop {LOOP}, one huge page, order-9 failure injected, "
        f"{span(list(totals.values()))} rows each"
    )
    last = {v: max((k for k, ok in fates[v] if ok), default=0) for v in VARIANTS}
    most = ", ".join(f"{last[v]} ({v})" for v in VARIANTS)
    title = f"Refused splits that a pin survived: at most {most}"
    with matplotlib.rc_context(STYLE):
        figure = _fates_figure(fates, model, title, note)
    alt = f"A panel of bars for each variant, over 0 to {MIGRATE_PASSES} refused splits. {sentence}"
    return Chart(figure, sentence, table, alt)


def _won(fates: dict[tuple[int, bool], int]) -> int:
    return sum(n for (_, ok), n in fates.items() if ok)


def _last(fates: dict[tuple[int, bool], int]) -> str:
    """Up to how many refusals a pin could still succeed."""
    late = sum(n for (k, ok), n in fates.items() if ok and k)
    return f", {late} of them after a refused split" if late else ", none after a refused split"


def _fates_figure(
    fates: dict[str, dict[tuple[int, bool], int]],
    model: dict[str, list[bool | None]],
    title: str,
    note: str,
) -> Any:
    from matplotlib.lines import Line2D

    figure, panels = panelled(len(VARIANTS), title, note)
    highest = max(n for v in VARIANTS for n in fates[v].values())
    handles: list[Any] = []
    for panel, variant in zip(panels, VARIANTS, strict=True):
        handles = []
        for ok, fill, word in ((True, GOOD, "pinned"), (False, BAD, "failed")):
            bars = {k: n for (k, fate), n in fates[variant].items() if fate is ok}
            drawn = panel.bar(
                bars.keys(), bars.values(), 0.8, facecolor=fill.ground, edgecolor=fill.mark,
                hatch=HATCHES[fill.pattern], label=f"measured: {word}",
            )  # fmt: skip
            handles.append(drawn)
            for k, n in bars.items():
                panel.text(k, n + highest * 0.015, str(n), ha="center", va="bottom", fontsize=8.5)
        line = highest * 1.17
        for ok, sign, colour in ((True, "o", BLUE), (False, "X", VERMILION)):
            at = [k for k, said in enumerate(model[variant]) if said is ok]
            panel.plot(at, [line] * len(at), sign, color=colour, markersize=7, markeredgecolor=INK)
            word = "model: pinned" if ok else "model: fails"
            handles.append(Line2D([], [], marker=sign, ls="", color=colour, mec=INK, label=word))
        panel.axhline(highest * 1.10, color=LINE, linewidth=0.8)
        panel.set_title(f"{variant} (model: {_version(variant)})", fontsize=11, loc="left")
        panel.set_xticks(range(MIGRATE_PASSES + 1))
        panel.set_xlim(-0.7, MIGRATE_PASSES + 0.7)
        panel.set_xlabel("refused splits", labelpad=1)
    panels[0].set_ylim(0, highest * 1.24)
    panels[0].set_ylabel("pins")
    legend(figure, handles)
    return figure
