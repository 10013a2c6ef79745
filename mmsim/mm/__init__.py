"""The kernel as modelled: values (folio, world), atomic operations, and the paths that use them.

Names of steps, paths and their files are the kernel's.  What they work on (`folio`, `world`, `zone`
and its parts, `seams`, `versions`) mirrors no file, and `actors` is everybody else who takes a
reference.  Where a function stands in another file of the
kernel than its module mirrors, or has another name there, its docstring says so (`Kernel:`).
Values know nothing of operations; operations are the only writers; paths are generators
that read like the C they mirror and touch memory only through operations.
"""
