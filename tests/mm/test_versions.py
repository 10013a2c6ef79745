"""A diff of two versions is the patch, and nobody else knows their names.

What the seams of each row are, the vectors and the table of the series say."""

import ast
from pathlib import Path

import pytest

import mmsim
from mmsim.errno import EBUSY
from mmsim.mm.seams import final_rc_as_counted, never_retry_split, rc_is_overwritten
from mmsim.mm.versions import MORE_SEAMS, SEAMS, V3FIX, V6_12, VERSIONS, diff, get
from mmsim.scenarios import vfio_map

PACKAGE = Path(mmsim.__file__).parent
NAMES = tuple(VERSIONS)


@pytest.mark.parametrize("before", NAMES)
@pytest.mark.parametrize("after", NAMES)
def test_a_difference_names_the_seams_that_differ_and_no_other(before, after):
    changed = [line for line in diff(before, after).splitlines() if line[:1] in "+-"]
    assert bool(changed) == (before != after)
    every = SEAMS | MORE_SEAMS
    differing = {s for s in every if getattr(get(before), s) != getattr(get(after), s)}
    shown = "\n".join(changed)
    assert differing == {
        s for s in every if f"def {s}(" in diff(before, after) or f"{s} = " in shown
    }


OTHERWISE = {
    "ref_errno": -EBUSY,
    "retry_split": never_retry_split,
    "rc_after_split": rc_is_overwritten,
    "undo_count": 0,
    "final_rc": final_rc_as_counted,
    "gup_fails": lambda rc, list_empty: True,
}
PLACES = ({"released": "5"}, {"reason": "compaction"})


@pytest.mark.parametrize("seam", SEAMS)
@pytest.mark.parametrize("row", [V3FIX, V6_12], ids=lambda row: row.name)
def test_each_loop_asks_every_seam_of_its_row(row, seam):
    """What the patch changed can be tried as a what-if in either loop."""
    ends = []
    for version in (row, row._replace(**{seam: OTHERWISE[seam]})):
        runs = [vfio_map(version, order=1, **place).run() for place in PLACES]
        ends.append([(run.results, run.last.world.vmstat) for run in runs])
    assert ends[0] != ends[1]


# Who else may: "base" is the default, and a word of the measured tables.
MAY_NAME = (
    *("mm/versions", "evidence/measured", "evidence/ftrace", "evidence/kernel_runs", "lessons/"),
    *("cli", "scenarios/__init__", "scenarios/situation", "views/first_screen"),
)


def test_no_other_module_names_a_version():
    found = []
    for file in PACKAGE.rglob("*.py"):
        inside = file.relative_to(PACKAGE).with_suffix("").as_posix()
        nodes = () if inside.startswith(MAY_NAME) else ast.walk(ast.parse(file.read_text("utf-8")))
        constants = [node for node in nodes if isinstance(node, ast.Constant)]
        found += [(inside, each.lineno) for each in constants if each.value in NAMES]
    assert found == []
