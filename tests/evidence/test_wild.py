"""What people really paste: each file of wild/ with its right answer, and texts in every dress."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from proctext import DRESSES, buddyinfo

from mmsim.cli import main
from mmsim.evidence.pasted import VMSTAT, PasteError, lines_of, load
from mmsim.evidence.proc import read_memory
from mmsim.views.memory import machine

WILD = Path(__file__).parent / "wild"
BUDDY = ["of the 74.11 MiB of free memory", "0 DMA"]
LOG = ["a line of the kernel log", "-16 (EBUSY)", "-12 (ENOMEM)", "mm_migrate_pages", "/proc/vm"]
NO_PIN = "Nothing here speaks of a long-term pin."
REFUSED = "a long-term pin; no huge page is free; the split is refused once at the reference check"

# Files -> what `mmsim diagnose` must say; after None, what it must not say.
DIAGNOSED: dict[str, list[str | None]] = {
    "d01_before.vmstat d01_after.vmstat": [REFUSED, None, "by others", "boots"],
    "d03_noise_split_pmd.txt": [REFUSED, "others: 7 mappings of huge pages split", "others: 6 map"],
    "d04_noise_pages.txt": [REFUSED, "others: 900 single pages moved, 9 single pages not moved"],
    "d06_cma_only.txt": ["15 requests to CMA areas, 3 of which failed", NO_PIN, None, "split is"],
    "d08_cma_area_full.txt": ["No page was tried: the area had no free run", "(-12)", NO_PIN],
    "d10_kcompactd.txt": ["90 single pages not moved", "kcompactd", NO_PIN, None, "the pin fails"],
    "d11_before.vmstat d11_after.vmstat": [
        "Moved: pgmigrate_fail +512, thp_split_page_failed +1.", "not known: thp_migration_success",
        "from before 5.9", REFUSED, None, "cut off",
    ],
    "d12_before.vmstat d12_after.vmstat": [
        "Moved: pgmigrate_fail +512, cma_alloc_fail +1.", "the owner of a CMA area asks for memory",
    ],
    "d13_huge_page_64k.txt": [REFUSED, "8,192 pages"],
    "d15_prompt.txt": ["Moved: thp_migration_fail +1."],
    "d16_fence.txt": ["Moved: thp_migration_fail +1."],
    "t02_contig_one_busy.trace": [
        "the owner of a CMA area (contig_range); a single page is busy in every pass", None, "long",
    ],
    "t04_two_reasons.trace": [
        "Moved for contig_range: pgmigrate_fail +512", "split is refused", "Moved for compaction",
    ],
    "t06_kernel_5_4.trace": ["31 single pages moved", "a kernel before 5.9", "not known: thp_migr"],
    "t07_perf_3_19.trace": ["1 single page moved", "a kernel before 5.9", None, "Moved for"],
    "k01_cma_alloc_failed.dmesg": LOG,
    "k02_pfns_busy.dmesg": LOG,
    "b11_extfrag_index.txt": ["extfrag/extfrag_index", "would succeed"],
    "b05_fence.buddyinfo": ["line 2: this looks like /proc/buddyinfo", "mmsim show"],
}  # fmt: skip
# File -> options, and what the picture's sentence and table must say.
SHOWN: dict[str, list[str | None]] = {
    "b01_prompt_before_data.buddyinfo": BUDDY,
    "b02_quoted.buddyinfo": BUDDY,
    "b05_fence.buddyinfo": BUDDY,
    "b06_timestamps.buddyinfo": BUDDY,
    "b07_grep_names.buddyinfo": BUDDY,
    "b08_date_first.buddyinfo": BUDDY,
    "b04_quoted.zoneinfo": ["38,277 pages free", "30,000 pages of that in CMA", "5.8 and later"],
    "b10_two_files.txt": ["Of another file, /proc/buddyinfo, and not read: line 14", "959 blocks"],
    "m01_free_lists.dmesg": ["145.62 MiB", "0 DMA", "free blocks in CMA: none", "pages of 4 KiB"],
    "p01_arm64_64k.pagetypeinfo": [
        "10,126 pages", "order 13", "does not tell how large a page is", None, "MiB", "order 9",
    ],
    "p02_page_64k.buddyinfo": ["6,698 pages", "does not tell how large", None, "MiB"],
    "p04_arm_block10.pagetypeinfo": ["order 10", None, "order 9", "huge page", "MiB"],
    "z01_3_4.zoneinfo": ["34,449 pages free", "this kernel does not tell", None, "5.8"],
    "z02_nameless.zoneinfo": ["34,449 pages free", "106200"],
    "z03_2_6_scanned.zoneinfo": ["34,449 pages free", "this kernel does not tell"],
}  # fmt: skip


def check(said, wanted):
    says = wanted[: wanted.index(None)] if None in wanted else wanted
    assert [words for words in says if words not in said] == []
    assert [words for words in wanted[len(says) + 1 :] if words in said] == []


@pytest.mark.parametrize("files", DIAGNOSED)
def test_diagnose_answers(files, capsys):
    status = main(["diagnose", *(str(WILD / name) for name in files.split())])
    captured = capsys.readouterr()
    assert status == (0 if "Moved" in captured.out else 1 if captured.out else 2)
    if status == 1:
        assert len(re.findall(r"[.]( |$)", captured.out)) <= 3
    check(captured.out + captured.err, DIAGNOSED[files])
    if "Moved" in captured.out:  # the other command knows what this one reads
        assert main(["show", str(WILD / files.split()[0])]) == 1
        assert "mmsim diagnose" in capsys.readouterr().out


@pytest.mark.parametrize("file", SHOWN)
def test_a_pasted_text_is_shown(file, capsys):
    seen = machine((WILD / file).read_text())
    assert main(["show", str(WILD / file)]) == 0
    assert seen.sentence in capsys.readouterr().out
    check(f"{seen.sentence} {seen.zones.to_string()}", SHOWN[file])


def test_every_file_has_an_answer():
    asked = {name for files in DIAGNOSED for name in files.split()} | {*SHOWN}
    assert asked == {file.name for file in WILD.iterdir()}


def test_the_size_of_a_page_can_be_given():
    p01 = (WILD / "p01_arm64_64k.pagetypeinfo").read_text()
    p02 = (WILD / "p02_page_64k.buddyinfo").read_text()
    assert "632.88 MiB" in machine(p01, page_kib=64).sentence
    assert machine(p02, order=5, page_kib=64).zones.iloc[0].tolist() == ["418.62 MiB", "2 MiB", 8]
    with pytest.raises(ValueError, match="page_kib is one of 4, 8, 16, 64, not 5"):
        machine(p01, page_kib=5)
    with pytest.raises(ValueError, match="the text tells that a page has 4 KiB, not 64"):
        machine(LISTS, page_kib=64)


# -- one rule for all texts

TWO = buddyinfo([(0, "DMA", (1, 0) * 5 + (3,)), (0, "Normal", tuple(range(99, 110)))])
LISTS = (WILD / "m01_free_lists.dmesg").read_text()
ZONEINFO = (WILD / "z02_nameless.zoneinfo").read_text()
LIST = "pgmigrate_fail +512\nthp_migration_fail +1\n"


@pytest.mark.parametrize("wear", DRESSES.values(), ids=DRESSES)
def test_any_dress_is_taken_off(wear):
    more = [(WILD / f).read_text() for f in ("b10_two_files.txt", "z01_3_4.zoneinfo")]
    for text in (TWO, LISTS, *more):
        assert read_memory(wear(text))[:3] == read_memory(text)[:3]
    assert [line.text for line in lines_of(wear(LIST), VMSTAT)] == LIST.splitlines()


KNOWN_TEXTS = {
    "cma_alloc_start: name=linux,cma count=40 align=6": "a trace event of CMA. -16 (EBUSY)",
    "cma: cma_alloc(): memory range at 00000000 is busy, retrying": "from cma_alloc()",
    "page dumped because: migration failure": "a failed migration. Of its refcount",
    "vfio_pin_pages_remote: RLIMIT_MEMLOCK (65536) exceeded": "RLIMIT_MEMLOCK is too small",
    "Jun  4 07:25:13 pve QEMU[39]: kvm: VFIO_MAP_DMA failed: Cannot allocate memory": (
        "a page could not leave CMA"
    ),
    **dict.fromkeys(
        ["pgmigrate_fail +8192", "thp_split_page: 1", '{"cma_alloc_fail": 3}', "drop_pagecache,3",
         "`compact_stall` = 1", "pswpin 4"],
        "/proc/vmstat. It says what moved and not what is free: mmsim diagnose",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{TWO}user@host:~# Nde 0, zone   Normal 5 2 8",
         "line 3: 'Nde 0, zone Normal 5 2 8' is no line"),
        (f"{TWO}# Node 0, zone HighMem 1 2", "line 3: there are 2 counts here where line 1 has 11"),
        (f"{TWO}Hi, this is my machine:", "line 3: 'Hi, this is my machine:' is no line"),
        (f"{TWO}Node 0, zone Normal 0.957 -1.000", "line 3: this is debugfs extfrag/extfrag_index"),
        (f"{TWO}10:31:07 483", "line 2: there are 12 counts here where line 1 has 11"),
        ("Node 0, zone Normal 1 2 3 4 5 6 7 8 9 10 1\n1\n", "line 1: this was broken, perhaps in"),
        (ZONEINFO.replace("109270", "1092\n70"), "line 13: '70' is no line of /proc/zoneinfo"),
        (LISTS.replace("0 DMA", "\n1 DMA"), "line 1: 'Node' is no line of the free lists"),
        (f"{LISTS}Node 0 Normal: 82437*No", "line 3: 'Node 0 Normal: 82437*No' is no line of"),
        (TWO + TWO.replace("\n", " "), "line 3: node 0, zone DMA stands in line 1 already"),
        *KNOWN_TEXTS.items(),
        *((f"[ 1.0] usb 1-1: new device\n[ 2.0] {text}\n", says)
          for text, says in KNOWN_TEXTS.items()),
    ],
)  # fmt: skip
def test_what_can_not_be_read_is_named(text, says):
    with pytest.raises(PasteError) as told:
        read_memory(text)
    assert says in str(told.value)


def test_a_log_with_more_than_free_lists_says_what_was_left_out():
    log = f"[ 1.0] Mem-Info:\n[ 2.0] cma: cma_alloc: alloc failed, ret: -12\n{LISTS}"
    notes = read_memory(log).notes
    assert notes[0] == "Other lines of the log, not read: 2."
    assert "line 2: this is a line of the kernel log, from cma_alloc()" in notes[1]
    tail = "Node 0 hugepages_total=0 hugepages_size=2048kB\nFree swap  = 0kB\nTotal swap = 0kB\n"
    assert read_memory(LISTS + tail).notes == ("Other lines of the log, not read: 3.",)
    mail = LISTS.replace("= 149120kB", "=3D\n149120kB")
    assert read_memory(mail).zones == read_memory(LISTS).zones
    nodeless = "\n".join(line.replace("Node 0 ", "") for line in LISTS.splitlines())
    assert read_memory(nodeless).zones == read_memory(LISTS).zones
    for damage in (("= 149120kB", "= 149124kB"), ("380*32kB", "38032kB"), ("= 149120kB", "")):
        with pytest.raises(PasteError, match="line 2"):
            read_memory(LISTS.replace(*damage))
    with pytest.raises(PasteError, match="line 3: there are 10 counts here where line 2 has 11"):
        read_memory("Mem-Info:\n" + LISTS.replace(" 0*4096kB =", " ="))


# -- bad input


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"thp_migration_fail 1\0", "is not a text but a binary file"),
        (b"thp_migration_fail \xff1", "line 1: write a counter"),
        (b"", "is empty"),
        (b", ,", "has no counter of the model"),
        (b"pgmigrate_fail 1\ncma_allo$ c_fail 1", "line 2: write a counter"),
        (b"pgmigrate_fail 1\ncma_alloc_s/cces:s 1", "line 2: write a counter"),
        (b"Mar 04 10:31:07 pgmigrate_fail 98\nMar 04 10:31:07 7", "line 2: write a counter"),
        (b"| pgmigrate_fail 1 |\n| cma_alloc_suc, |", "line 2: write a counter"),
        (
            b"mm_migratepages: nr_failed=1 mm_migrate_pages: nr_succeeded=2 nr_failed=0 "
            b"nr_thp_failed=0 nr_thp_succeeded=0 nr_thp_split=0 mode=MIGRATE_SYNC reason=cma",
            "line 1: ",
        ),
        (b"thp_migration_fail 1,5\n", "a whole number without points or commas"),
        (b"a 1\n" * 600_000, "has more than 2,000,000 bytes"),
    ],
)
def test_files_that_can_not_be_used(tmp_path, content, says, capsys):
    file = tmp_path / "vmstat"
    file.write_bytes(content)
    assert main(("diagnose", str(file))) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert says in said.err


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8-sig"])
def test_texts_of_windows_are_read(tmp_path, encoding):
    file = tmp_path / "vmstat"
    file.write_bytes("“before”: 3 ms\r\npgmigrate_fail\u00a0512\r\n".encode(encoding))
    assert load(str(file)).splitlines()[1].split() == ["pgmigrate_fail", "512"]
