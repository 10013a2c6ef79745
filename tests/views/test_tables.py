"""Tables made by running the model, against the tables worked out from the kernel's source."""

from __future__ import annotations

from mmsim.evidence.ftrace import real_trace
from mmsim.scenarios import vfio_map
from mmsim.views.tables import counters_by_version, measured_table


def test_counters_by_version_shows_what_moved_in_any():
    table = counters_by_version(vfio_map(thps=4), ("base", "v2"))
    assert table.loc["pgmigrate_success"].tolist() == [0, 1536]
    assert table.loc["thp_split_page_failed"].tolist() == [1, 10]
    assert "thp_migration_success" not in table.index


def test_measured_table_names_the_result():
    table = measured_table(real_trace("S3_held_base_retfix1.txt"))
    assert "-ENOMEM" in str(table.iloc[-1, 0])
    assert table.loc["pgmigrate_fail"].tolist() == [512]
