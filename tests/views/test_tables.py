"""Tables made by running the model, against the tables worked out from the kernel's source."""

from __future__ import annotations

import pytest

from mmsim.evidence.ftrace import real_trace
from mmsim.scenarios import vfio_map
from mmsim.views.tables import counters_by_version, measured_table


@pytest.mark.parametrize("k", range(11))
def test_what_k_refusals_come_to(k):
    """v1 returns k + 1, v2 and v3 return 0; ten of them: +11, with the repair +1."""
    knobs = {"holder": int(k > 0), "order": 1, "released": str(k) if 0 < k < 10 else "never"}
    table = counters_by_version(vfio_map(**knobs), ("base", "6.1.0", "v1", "v2", "v3", "v3fix"))
    fails = ["-ENOMEM", "-ENOMEM"]
    returns = ["+1", "0", "+1", "0", "0", "0"] if not k else [*fails, f"+{k + 1}", "0", "0", "0"]
    pinned = ["2 pages pinned"] * (5 if not k else 4)
    if k == 10:
        returns, pinned = [*fails, "+11", "+11", "+11", "+1"], ["-ENOMEM"] * 4
    assert table.loc["migrate_pages returns"].tolist() == returns
    assert table.loc["pin returns"].tolist() == [*fails[: 6 - len(pinned)], *pinned]
    assert table.loc["thp_migration_fail"].tolist() == [1, 1, k + 1, k + 1, k + 1, 1]
    if k:
        assert table.loc["thp_split_page_failed"].tolist() == [1, 1, k, k, k, k]


def test_counters_by_version_shows_what_moved_in_any():
    table = counters_by_version(vfio_map(thps=4), ("base", "v2"))
    assert table.loc["pgmigrate_success"].tolist() == [0, 1536]
    assert table.loc["thp_split_page_failed"].tolist() == [1, 10]
    assert "thp_migration_success" not in table.index


def test_measured_table_names_the_result():
    table = measured_table(real_trace("S3_held_base_retfix1.txt"))
    assert "-ENOMEM" in str(table.iloc[-1, 0])
    assert table.loc["pgmigrate_fail"].tolist() == [512]
