"""The kernel as modelled: values (folio, world), atomic operations, and the paths that use them.

Names of files, steps and paths are the kernel's.  Where a function stands in another file of the
kernel than its module mirrors, or has another name there, its docstring says so (`Kernel:`).
Values know nothing of operations; operations are the only writers; paths are generators
that read like the C they mirror and touch memory only through operations.
"""
