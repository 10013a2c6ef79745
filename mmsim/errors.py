"""What a user did wrong, in one sentence: what is wrong, where, what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LISTED_MAX = 12


class UserError(ValueError):
    """Something the user can mend.  The message is the one sentence that says how.

    The command line prints that sentence, and so does a notebook.  Any other error is a bug."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: where in this package the error arose helps nobody."""
        return [str(self)]


def nearest(word: str, allowed: Iterable[str]) -> str:
    """`"; did you mean 'x'? There are: x, y."`, ready to follow a sentence."""
    names = list(allowed)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    hint = f"; did you mean {close[0]!r}?" if close else ";"
    listed = ", ".join(names[:LISTED_MAX]) + (", ..." if len(names) > LISTED_MAX else "")
    return f"{hint} there are: {listed}"
