"""Sizes the kernel compiles in (x86-64, 4 KiB pages, 6.1-rc1)."""

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
