"""What a card says, as lines of text in which `code`, *stress* and **strong** are marked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from textwrap import shorten
from typing import Any

from mmsim.errors import shown
from mmsim.lessons.activity import Activity
from mmsim.lessons.form import FUNCTION, ONLY, Choices, Verdict, failed, options, passed, said
from mmsim.views.show import marked, marked_line

AGAIN = "Try another answer; after a second wrong one the card says how it is."
WORDS_MAX, LISTED_MAX, LINE_MAX = 72, 160, 5_000  # characters


# -- what is asked


def question(card: Activity) -> str:
    """The question as HTML; folded to a line once it is settled."""
    line = f"<b>{marked_line(card.headline)}</b>"
    rest = marked(card.text.split("\n\n"))
    if rest and card.settled:
        return f"<details><summary>{line}</summary>{rest}</details>"
    return f"<p>{line}</p>{rest}"


def choices(card: Activity) -> list[str]:
    """What can be chosen: a line for each part, or for each choice if they have words."""
    if isinstance(card.asked, Choices):
        return [f"- {said(value, card.asked)}" for value in card.asked]
    lines = []
    for part, allowed in card.parts.items():
        lead = [] if card.single else [f"`{part}`"]
        lead += [card.labels[part]] if part in card.labels else []
        given = ", ".join(said(value, allowed) for value in options(allowed)) or card.form
        line = ": ".join([*lead, given or "your own words"])
        lines.append("- " + line.replace(".: ", ". ").replace("?: ", "? "))
    return lines


def ways(card: Activity) -> list[str]:
    """How to answer without buttons."""
    if not card.asks:
        return []
    if card.form == FUNCTION:
        how = "Write the function above in place of the dots, and run the cell."
        return [f"{how} The last line, `lesson.{card.name}(...)`, hands it in."]
    if not card.parts:
        call = f"lesson.{card.name}({card.form or '...'})"
        return [f"Write your answer between the brackets of this cell and run it: `{call}`."]
    names = [str(part) for part in card.parts]
    if card.single:
        call = "..."
    elif all(name.isidentifier() for name in names):
        call = ", ".join(f"{name}=..." for name in names)
    else:
        call = "{" + ", ".join(f"{part!r}: ..." for part in card.parts) + "}"
    return [f"Without buttons, write in a cell: `lesson.{card.name}.answer({call})`"]


def waits(card: Activity) -> str:
    """Which cards have to be answered first; empty if none has."""
    names = " and ".join(f"`lesson.{need.name}`" for need in card.needs if not need.unlocked)
    return f"Shown once you have answered {names}, further up." if names else ""


# -- what became of the answer


def words_of(part: Any, labels: Mapping[Any, str]) -> str:
    """A part as a learner sees it: the words beside its choices, cut if long; else its name."""
    return shorten(labels.get(part, f"`{part}`"), WORDS_MAX, placeholder=" …").removesuffix(".")


def of_part(part: Any, labels: Mapping[Any, str], line: str) -> str:
    """What is said of a part, behind what it is called; of a single one it is said alone."""
    if part == ONLY:
        return line
    name = words_of(part, labels)
    if name.endswith("?"):
        return f"{name} {line}".replace("? you", "? You", 1)
    return f"{name}: {line}"


def compared(
    answer: Mapping[Any, Any],
    true: Mapping[Any, Any],
    against: Callable[[Any, Any], tuple[str, str]],
    if_right: str,
    labels: Mapping[Any, str],
) -> Verdict:
    """The verdict on an answer that is compared part by part, up to the first wrong one."""
    for part, value in true.items():
        if answer[part] != value:
            why, second = (of_part(part, labels, told) for told in against(part, answer[part]))
            return failed(why, second=second)
    return passed(if_right)


def reply(card: Activity) -> list[str]:
    """What became of the answer; empty while there is none.  An answer quoted in it is cut."""
    state = card.state
    lines = [shown(line, LINE_MAX) for line in _replied(card)]
    if state.kept is not None and state.last is None:
        before = shown(" ".join(str(state.kept).split()))
        lines.append(f"Handed in earlier: `{before}`. Answer again to see it judged.")
    return lines + [card.note] * bool(card.note)


def _replied(card: Activity) -> list[str]:
    state, verdict = card.state, card.state.verdict
    if card.problem:
        return [card.problem]
    if not card.ready:
        return [waits(card)]
    if not card.unlocked and verdict.state == "not attempted":
        return []
    lines = _beside_the_outcome(card) if card.outcome and card.unlocked else []
    if card.noted:
        lines += _listed("Noted", _answer(card, state.last))
    elif verdict.state == "failed" and not (card.unlocked and card.because):
        why = verdict.second if card.unlocked and verdict.second else verdict.why
        lead = "✘ No" if card.unlocked else "✘ Not yet"
        lines += [f"{lead}: {why}", *filter(None, [verdict.detail])]
        lines += [] if card.unlocked else [AGAIN]
    elif verdict.state == "passed" and verdict.why:
        lines += [f"✔ Right: {verdict.why}", *filter(None, [verdict.detail])]
    if state.last is not None:
        last, first = _answer(card, state.last), _answer(card, state.first)
        lines += _listed("At first you had said", [line for line in first if line not in last])
    return lines


def _beside_the_outcome(card: Activity) -> list[str]:
    """Each part of the answer: what was said, how it was, and why."""
    assert card.outcome is not None
    true, mine = card.by_part(card.outcome()), card.by_part(card.state.last)
    lines = []
    for part, allowed in card.parts.items():
        sign, was = "", "" if allowed is str else " · not decided"  # a text: own words
        if part in true:
            sign = "✔ " if mine[part] == true[part] else "✘ "
            was = f" · it was {said(true[part], allowed)}"
        why = f": {card.because[part]}" if part in card.because else ""
        line = f"you said {said(mine[part], allowed)}{was}{why}"
        lines.append(sign + of_part(part, card.labels, line))
    return lines


def _answer(card: Activity, answer: Any) -> list[str]:
    """The parts of an answer; code has none."""
    return [
        of_part(part, card.labels, said(value, card.parts[part]))
        for part, value in (card.by_part(answer).items() if card.parts else ())
    ]


def _listed(lead: str, told: list[str]) -> list[str]:
    """Nothing, a line, or several if one would be too long."""
    line = f"{lead}: {'; '.join(told)}"
    line += "" if line.endswith((".", "?", "!")) else "."
    return [] if not told else [line] if len(line) < LISTED_MAX else [f"{lead}:", *told]


def reason(card: Activity) -> list[str]:
    """Why it is so; empty while that is locked."""
    if not card.unlocked:
        return []
    why = card.why if isinstance(card.why, str) else card.why()
    return [line for line in why.split("\n\n") if line]


def hints(card: Activity) -> list[str]:
    """Every hint that was asked for, in a line."""
    read = enumerate(card.hints[: card.state.hints], start=1)
    return [f"Hint {n} of {len(card.hints)}: {hint}" for n, hint in read]
