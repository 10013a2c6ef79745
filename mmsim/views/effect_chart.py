"""What the patch bought: pins of a real kernel while drop_caches ran, and what they left behind.

Interface: pins_beside_drop_caches, left_behind, ways_to_fail, odds_beside_drop_caches, missed_piece

The first two are counted from the measured rows, the third is a search through the model.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from fractions import Fraction
from statistics import median
from typing import TYPE_CHECKING

from mmsim.engine.schedule import render
from mmsim.engine.trace import Trace
from mmsim.evidence.measured import DISTURBED, RETRY, SCENARIOS, VARIANTS, Pins, disturbed
from mmsim.scenarios import SMALL, pin_versus
from mmsim.scenarios.fates import MAPPED, MISSED, NOT_SPLIT
from mmsim.views.figures import HATCHES, STYLE, Chart, legend, panelled
from mmsim.views.svg import BLUE, FILLS, GREEN, INK, ORANGE, VERMILION
from mmsim.views.tables import frame, labels
from mmsim.views.waystofail import TOGETHER, failure_odds

if TYPE_CHECKING:
    import pandas as pd

KINDS = (*VARIANTS, RETRY)
_SIGNS = dict(zip(KINDS, (("o", BLUE), ("s", ORANGE), ("D", VERMILION), ("^", GREEN)), strict=True))
HUGE, PIECES = "huge page left", "only pieces left"
_FILLS = {HUGE: FILLS["MOVABLE"], PIECES: FILLS["UNMOVABLE"]}
PASSES = 8
PIN, PIN_WEIGHT = "pin", 8
"""How much oftener the pin moves than drop_caches: at even weights, drop_caches is through before
the pin comes to the pieces."""


def _note(rows: int) -> str:
    return f"data/kernel-runs/{DISTURBED}: {rows:,} pins; the allocation of huge pages made to fail"


def pins_beside_drop_caches() -> Chart:
    """How often a pin fails while drop_caches runs: base, v1, v2, and v2 with RETRY's switch."""
    import matplotlib
    import pandas as pd

    found = {s: {kind: disturbed(kind, s).failed for kind in KINDS} for s in SCENARIOS}
    whole = {kind: disturbed(kind).failed for kind in KINDS}
    rows = [[str(found[s][kind]) for kind in KINDS] for s in SCENARIOS]
    table = pd.DataFrame(
        [*rows, [str(whole[kind]) for kind in KINDS]],
        index=pd.Index([*SCENARIOS.values(), "together"], name="drop_caches"),
        columns=pd.Index(KINDS, name="failed pins"),
        dtype=object,
    )
    said = ", ".join(f"{kind} {whole[kind]}" for kind in VARIANTS)
    sentence = f"Pins that failed while drop_caches ran: {said}; {RETRY}: {whole[RETRY]}."
    trials = sum(share.trials for share in whole.values())
    title = "With drop_caches running, no difference between base, v1 and v2 can be seen"
    with matplotlib.rc_context(STYLE):
        figure, (panel,) = panelled(1, title, f"{_note(trials)}; 95 % intervals")
        figure.subplots_adjust(left=0.085, top=0.88)
        handles = []
        for number, (kind, (sign, colour)) in enumerate(_SIGNS.items()):
            shares = [found[s][kind] for s in SCENARIOS]
            places = [place + (number - 1.5) * 0.17 for place in range(len(SCENARIOS))]
            parts = [share.part for share in shares]
            below = [share.part - share.interval[0] for share in shares]
            above = [share.interval[1] - share.part for share in shares]
            drawn = panel.errorbar(
                places, parts, [below, above], fmt=sign, color=colour, markersize=7,
                markeredgecolor=INK, elinewidth=1.2, capsize=3.5, label=kind,
            )  # fmt: skip
            handles.append(drawn)
        panel.set_xticks(
            range(len(SCENARIOS)), [name.replace(", ", ",\n") for name in SCENARIOS.values()]
        )
        panel.set_xlim(-0.5, len(SCENARIOS) - 0.5)
        panel.set_ylim(-0.03, 1.05)
        panel.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
        panel.set_ylabel("pins that fail")
        legend(figure, handles)
    alt = f"Four points with intervals for each of {len(SCENARIOS)} scenarios. {sentence}"
    return Chart(figure, sentence, table, alt)


# -- what is left behind


def _left(pins: Pins) -> list[object]:
    left = pins.pages_left
    return [
        str(pins.failed),
        pins.huge_page_left,
        pins.only_pieces_left,
        f"{median(left):g}, {max(left)}" if left else "—",
    ]


def left_behind() -> Chart:
    """What lay in CMA after the failed pins: huge pages that were never split, or single pieces?"""
    import matplotlib
    import pandas as pd

    found = {kind: disturbed(kind) for kind in KINDS}
    columns = ["failed", HUGE, PIECES, "pieces left: median, most"]
    table = pd.DataFrame(
        [_left(pins) for pins in found.values()],
        index=pd.Index(KINDS, name="variant"),
        columns=columns,
        dtype=object,
    )
    parts = [f"{pins.huge_page_left} ({kind})" for kind, pins in found.items()]
    all_ = sum(pins.failed.hits for pins in found.values())
    sentence = (
        f"Of {all_:,} failed pins, so many left a huge page whole: {', '.join(parts)}; after all "
        "others every huge page had been split, and single pieces lay in CMA."
    )
    trials = sum(pins.failed.trials for pins in found.values())
    title = "What is left behind is pieces: the split had worked"
    with matplotlib.rc_context(STYLE):
        figure, (panel,) = panelled(1, title, _note(trials))
        figure.subplots_adjust(top=0.88)
        handles, below = [], [0] * len(KINDS)
        for name, counts in (
            (PIECES, [pins.only_pieces_left for pins in found.values()]),
            (HUGE, [pins.huge_page_left for pins in found.values()]),
        ):
            fill = _FILLS[name]
            drawn = panel.bar(
                range(len(KINDS)), counts, 0.6, below, facecolor=fill.ground,
                edgecolor=fill.mark, hatch=HATCHES[fill.pattern], label=name,
            )  # fmt: skip
            handles.append(drawn)
            below = [low + n for low, n in zip(below, counts, strict=True)]
        for place, pins in enumerate(found.values()):
            words = f"{pins.only_pieces_left} + {pins.huge_page_left}"
            panel.text(place, pins.failed.hits + 9, words, ha="center", fontweight="bold")
        panel.set_xticks(range(len(KINDS)), [f"{k}\n{p.failed}" for k, p in found.items()])
        panel.set_ylim(0, max(below) * 1.13)
        panel.set_ylabel("failed pins")
        legend(figure, handles)
    return Chart(figure, sentence, table, f"Stacked bars, one for each variant. {sentence}")


# -- the same in the model


@functools.cache
def odds_beside_drop_caches(version: str, passes: int = PASSES) -> Mapping[str, Fraction]:
    """How likely each end of a pin is beside one drop_caches: a huge page of two pieces."""
    weights = {PIN: PIN_WEIGHT}
    return failure_odds(version, passes=passes, weights=weights, starts=[TOGETHER])[TOGETHER]


def missed_piece(version: str) -> Trace:
    """A shortest run in which a huge page is split, and one of its pieces misses its one pass."""
    situation = pin_versus(version, **SMALL)
    ends = situation.explore().outcomes(situation.outcome)
    (end,) = (end for end in ends if end.name == MISSED)
    return situation.replay(render(end.shortest or ()))


def ways_to_fail(versions: Sequence[str], *, passes: int = PASSES) -> pd.DataFrame:
    """Every order of a pin's steps and one drop_caches': how likely each end is, exactly.

    The pin moves PIN_WEIGHT times as often as drop_caches.  The numbers depend on that; which of
    them a version changes does not."""
    rows = []
    for version in versions:
        odds = odds_beside_drop_caches(version, passes)
        rows.append([f"{float(100 * odds.get(end, Fraction(0))):.2f} %" for end in ENDS])
    return frame(rows, labels(versions, "version"), [*ENDS.values()])


ENDS = {MAPPED.word: "mapped", NOT_SPLIT: "could not be split", MISSED: "a piece missed its pass"}
