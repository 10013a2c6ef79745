"""The error codes that the modelled paths return, with the kernel's numbers and signs.

A kernel function returns 0 or a negative errno; migrate_pages() may also return a positive count.
The sign tells them apart: 11 is eleven failures, -11 is -EAGAIN."""

EINTR, EAGAIN, ENOMEM, EFAULT, EBUSY = 4, 11, 12, 14, 16
EEXIST, EINVAL, ENOSPC, ENOSYS = 17, 22, 28, 38

NUMBERS: dict[str, int] = {name: number for name, number in list(vars().items()) if name.isupper()}
NAMES = {number: name for name, number in NUMBERS.items()}


def code(value: int) -> int | str:
    """A return code as the conformance vectors write it: an errno's name, or a number >= 0."""
    return NAMES[-value] if value < 0 else value


def name(value: int) -> str:
    """A return code for people: `-ENOMEM`, `0` or `+11`."""
    if value < 0:
        return f"-{NAMES.get(-value, -value)}"
    return f"+{value}" if value else "0"
