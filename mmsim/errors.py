"""What a user did wrong, in one sentence: what is wrong, where, what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LISTED_MAX = 12
WORD_MAX, MESSAGE_MAX, SHOWN_MAX = 100, 1_000, 300
"""Characters: of a word that is looked up, of a sentence, and of a value that a reply shows."""


class UserError(ValueError):
    """Something the user can mend.  The message is the one sentence that says how.

    The command line prints that sentence, and so does a notebook.  Any other error is a bug.  It is
    one line, whatever is quoted in it, and what is too long is cut in the middle."""

    def __init__(self, message: str) -> None:
        if len(message) > MESSAGE_MAX:
            message = f"{message[: MESSAGE_MAX // 2]} ... {message[-MESSAGE_MAX // 2 :]}"
        super().__init__("".join(c if c.isprintable() else repr(c)[1:-1] for c in message))

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: where in this package the error arose helps nobody."""
        return [str(self)]


def nearest(word: str, allowed: Iterable[str]) -> str:
    """`"; did you mean 'x'? There are: x, y."`, ready to follow a sentence."""
    names = list(allowed)
    close = difflib.get_close_matches(word[:WORD_MAX], names, n=1, cutoff=0.6)
    hint = f"; did you mean {close[0]!r}?" if close else ";"
    listed = ", ".join(names[:LISTED_MAX]) + (", ..." if len(names) > LISTED_MAX else "")
    return f"{hint} there are: {listed}"


def shown(value: object, most: int = SHOWN_MAX, *, quoted: bool = False) -> str:
    """Any value as text: cut if it is long, its type if it can't be shown.

    `quoted`: a text in quotes."""
    try:
        bare = isinstance(value, BaseException) or (isinstance(value, str) and not quoted)
        text = str(value) if bare else repr(value)
    except KeyboardInterrupt:
        raise
    except BaseException:
        text = with_article(type(value).__name__)
    return text if len(text) <= most else f"{text[:most]} … ({len(text):,} characters)"


def with_article(word: str) -> str:
    """A word with `a` or `an`."""
    return f"{'an' if word[:1] in 'aeiou' else 'a'} {word}"
