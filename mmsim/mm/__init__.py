"""The kernel as modelled: values (folio, world), atomic operations, and the paths that use them.

Values know nothing of operations; operations are the only writers; paths are generators that read
like the C they mirror and touch memory only through operations.  Names of steps, paths and their
files are the kernel's.  Where a function stands in another file of the kernel than its module
mirrors, or has another name there, its docstring says so (`Kernel:`).

    a pin, from the top    vfio, gup, migrate or migrate_6_12, huge_memory
    what they call         page_ref, rmap, memory, filemap, swap, vmstat
    who else is there      shmem (fills memory), drop_caches, cma (the owner of a CMA area),
                           actors (everybody else who takes a reference)
    the allocator          page_alloc, compaction and fragmentation, on a zone (untouched, boot,
                           occupancy)
    no file of the kernel  folio and world (what all of them work on), seams and versions (what
                           differs between kernels), policies (what no kernel does)

A path has a shape that the C has not.  The search compares the local variables of a path and sees
nothing else, so all that a path knows stands in one.  A loop that yields therefore counts over a
name, as in `for index, page in enumerate(todo)`, even if nobody reads `index`.  A yield is a
statement, a whole condition, or the whole right side of an assignment.  `tests/lint.py` checks it.
"""
