"""Numbers and names that the kernel compiles in (x86-64, 4 KiB pages, 6.1-rc1).

Sizes first; then the kernel's names for its choices: modes and reasons of migration, kinds of
memory, migratetypes, per-CPU batches, counters of /proc/vmstat.
"""

PAGE_SIZE = 4096
HPAGE_PMD_ORDER = 9
HPAGE_PMD_NR = 1 << HPAGE_PMD_ORDER
MAX_ORDER = 11
"""Exclusive: the largest block the buddy allocator keeps has order 10."""
PAGEBLOCK_ORDER = 9
PAGEVEC_SIZE = 15
"""Folios in a batch; 31 from 6.9 on."""
VFIO_BATCH = 512
GUP_PIN_COUNTING_BIAS = 1024
MIGRATE_PASSES = 10
FORCE_LOCK_FROM_PASS = 3

MIGRATE_ASYNC, MIGRATE_SYNC_LIGHT, MIGRATE_SYNC = 0, 1, 2
MODES = ("MIGRATE_ASYNC", "MIGRATE_SYNC_LIGHT", "MIGRATE_SYNC")

(
    MR_COMPACTION,
    MR_MEMORY_FAILURE,
    MR_MEMORY_HOTPLUG,
    MR_SYSCALL,
    MR_MEMPOLICY_MBIND,
    MR_NUMA_MISPLACED,
    MR_CONTIG_RANGE,
    MR_LONGTERM_PIN,
    MR_DEMOTION,
) = range(9)
REASONS = (
    "compaction",
    "memory_failure",
    "memory_hotplug",
    "syscall",
    "mempolicy_mbind",
    "numa_misplaced",
    "contig_range",
    "longterm_pin",
    "demotion",
)
"""As the tracepoint mm_migrate_pages prints them, but for "syscall", which is "syscall_or_cpuset"
there."""

SHMEM, ANON, HUGE_ZERO = "shmem", "anon", "huge_zero"

MIGRATE_UNMOVABLE, MIGRATE_MOVABLE, MIGRATE_RECLAIMABLE = "UNMOVABLE", "MOVABLE", "RECLAIMABLE"
MIGRATE_HIGHATOMIC, MIGRATE_CMA, MIGRATE_ISOLATE = "HIGHATOMIC", "CMA", "ISOLATE"
MIGRATETYPES = (
    MIGRATE_UNMOVABLE,
    MIGRATE_MOVABLE,
    MIGRATE_RECLAIMABLE,
    MIGRATE_HIGHATOMIC,
    MIGRATE_CMA,
    MIGRATE_ISOLATE,
)
PCP_TYPES = MIGRATETYPES[:3]

LRU_ADD, DEACTIVATE_FILE, ACTIVATE = "lru_add", "deactivate_file", "activate"
MOVING = "moving"

MIGRATE_COUNTERS = (
    "pgmigrate_success",
    "pgmigrate_fail",
    "thp_migration_success",
    "thp_migration_fail",
    "thp_migration_split",
)
SPLIT_COUNTERS = (
    "thp_split_page",
    "thp_split_page_failed",
    "thp_split_pmd",
    "thp_deferred_split_page",
)
PIN_COUNTERS = ("nr_foll_pin_acquired", "nr_foll_pin_released")
ALLOC_COUNTERS = (
    "thp_file_alloc",
    "thp_file_fallback",
    "thp_file_mapped",
    "compact_stall",
    "compact_success",
    "compact_fail",
    "cma_alloc_success",
    "cma_alloc_fail",
)
DROP_COUNTERS = ("drop_pagecache", "drop_slab")
VMSTAT = (
    *MIGRATE_COUNTERS,
    *SPLIT_COUNTERS,
    *ALLOC_COUNTERS,
    *DROP_COUNTERS,
    *PIN_COUNTERS,
)

REPORTED = ("thp_migration_fail", "thp_split_page_failed")
"""The two counters of the report."""
