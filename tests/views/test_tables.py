"""Tables made by running the model, against the tables worked out from the kernel's source."""

from __future__ import annotations

from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import vfio_map
from mmsim.views.decision_tables import decision_table
from mmsim.views.tables import counters_by_version, measured_table, retry_table

OUT = "exit -ENOMEM"
# reason, split result -> what migrate_pages() does in base, v1, v2
DECISIONS = {
    ("longterm_pin", "0"): ("goes on", "goes on", "goes on"),
    ("longterm_pin", "refcount failure"): (
        OUT,
        "stays for the next pass",
        "stays for the next pass",
    ),
    ("longterm_pin", "other errno"): (OUT, "exit -EBUSY", OUT),
    ("other", "0"): ("goes on", "goes on", "goes on"),
    ("other", "refcount failure"): (OUT, "exit -EAGAIN", OUT),
    ("other", "other errno"): (OUT, "exit -EBUSY", OUT),
    ("numa_misplaced", "not attempted"): (OUT, OUT, OUT),
}


def plain(cell):
    return str(cell).replace("≠", "").strip()


def test_the_decision_table_cell_by_cell():
    table = decision_table(("base", "v1", "v2"))
    assert {
        key: tuple(map(plain, row)) for key, row in zip(table.index, table.values, strict=True)
    } == (DECISIONS)


def test_a_cell_that_differs_from_the_first_column_is_marked_and_no_other():
    table = decision_table(("base", "v1", "v2"))
    for key, row in zip(table.index, table.values, strict=True):
        for cell, expected in zip(row, DECISIONS[key], strict=True):
            assert ("≠" in cell) is (expected != DECISIONS[key][0])


def test_merged_versions_decide_like_v2_and_base_like_its_release():
    table = decision_table(tuple(VERSIONS))
    assert table["base"].tolist() == table["6.1.0"].tolist()
    for version in ("v3", "v3fix", "2/2-only"):
        assert table[version].tolist() == table["v2"].tolist()


def test_the_retry_table_cell_by_cell():
    """k refusals: v1 returns k + 1, v2 and v3 return 0; ten of them: +11, with the repair +1."""
    versions = ("base", "6.1.0", "v1", "v2", "v3", "v3fix")
    table = retry_table(versions)
    got = {name: table[name] for name in table.columns.get_level_values(0).unique()}
    assert got["migrate_pages returns"].iloc[0].tolist() == ["+1", "0", "+1", "0", "0", "0"]
    for k in range(1, 10):
        refused = ["-ENOMEM", "-ENOMEM"]
        assert got["migrate_pages returns"].iloc[k].tolist() == [
            *refused,
            f"+{k + 1}",
            "0",
            "0",
            "0",
        ]
        assert got["pin returns"].iloc[k].tolist() == refused + ["pinned"] * 4
        assert got["thp_migration_fail"].iloc[k].tolist() == [1, 1, k + 1, k + 1, k + 1, 1]
        assert got["thp_split_page_failed"].iloc[k].tolist() == [1, 1, k, k, k, k]
    last = got["migrate_pages returns"].iloc[10].tolist()
    assert last == ["-ENOMEM", "-ENOMEM", "+11", "+11", "+11", "+1"]
    assert got["thp_migration_fail"].iloc[10].tolist() == [1, 1, 11, 11, 11, 1]


def test_counters_by_version_shows_what_moved_in_any():
    table = counters_by_version(vfio_map(thps=4), ("base", "v2"))
    assert table.loc["pgmigrate_success"].tolist() == [0, 1536]
    assert table.loc["thp_split_page_failed"].tolist() == [1, 10]
    assert "thp_migration_success" not in table.index


def test_measured_table_names_the_result():
    from mmsim.evidence.ftrace import real_trace

    table = measured_table(real_trace("S3_held_base_retfix1.txt"))
    assert "-ENOMEM" in str(table.iloc[-1, 0])
    assert table.loc["pgmigrate_fail"].tolist() == [512]


def test_every_table_has_a_named_index():
    for table in (decision_table(("base",)), retry_table(("base",), released=(0,))):
        assert all(table.index.names)
