"""The kernel as modelled: values (folio, world), atomic operations, and the paths that use them.

File names are the kernel's.  Values know nothing of operations; operations are the only writers;
paths are generators that read like the C they mirror and touch memory only through operations.
"""
