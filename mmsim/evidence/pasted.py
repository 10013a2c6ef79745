"""One rule for every text that somebody pastes: what is decoration, what is data, what is neither.

Texts come from terminals, mails, web pages, logs and scripts.  A line loses what they put in front:
prompts, quoting, times, names of files, numbers of lines.  What is no data goes: fences, dates,
commands, rulers.  A line that was wrapped is joined again.  Everything else is left to the readers,
and what they can't read they name with its line.  So no line that holds data is dropped."""

from __future__ import annotations

import html
import re
import sys
from collections.abc import Collection, Iterable
from typing import NamedTuple, NoReturn

from mmsim.errors import UserError

CHARS_MAX, LINES_MAX, LINE_MAX = 2_000_000, 60_000, 10_000
"""Of a text: characters, lines, characters of a line."""
QUOTED_MAX = 50
"""Characters of a line that a message shows."""
LAYERS_MAX = 50
"""Pieces of decoration that one line may begin with."""

BUDDYINFO, PAGETYPEINFO, ZONEINFO = "/proc/buddyinfo", "/proc/pagetypeinfo", "/proc/zoneinfo"
VMSTAT, FREE_LISTS = "/proc/vmstat", "the free lists in a kernel log"
OF_MEMORY = (ZONEINFO, PAGETYPEINFO, FREE_LISTS, BUDDYINFO)


class PasteError(UserError):
    """A text that can't be used; the message is for the user, without a line break."""


class KnownText(PasteError):
    """A text that no reader is for, but that is known.

    The message has up to three sentences: what it is, what it means, which text tells more."""


class Line(NamedTuple):
    """A line with something on it, its words one blank apart; `number` counts all lines from 1.

    `torn`: it was broken between two digits, and that may have been inside a number."""

    number: int
    text: str
    torn: bool = False


# -- files


def load(name: str) -> str:
    """The text of a file, or of standard input for "-"; raises PasteError."""
    told = "standard input" if name == "-" else name
    try:
        if name == "-":
            content = sys.stdin.buffer.read(CHARS_MAX + 1)
        else:
            with open(name, "rb") as file:
                content = file.read(CHARS_MAX + 1)
    except OSError as error:
        raise PasteError(f"{name} can't be read: {error.strerror}") from None
    if len(content) > CHARS_MAX:
        raise PasteError(f"{told} has more than {CHARS_MAX:,} bytes: give the part that counts")
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", errors="replace")
    if re.search(rb"[\0-\6]", content):
        raise PasteError(f"{told} is not a text but a binary file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


# -- decoration


_DATA = (
    r"Node \d|Page block order:|Pages per block:|Free pages count|Number of (?:mixed )?blocks|"
    r"per-node stats|pagesets$|protection: \(|(?:\S+ )?\w+: \d+\*\d+kB|"
    r"[A-Za-z_][\w ]*[ :=]+[-+]?\d+(?:$| [#(])"
)
_HAS_DATA = re.compile(_DATA)
_TIME = r"\d{1,2}:\d\d:\d\d(?:[.,]\d+)?"
_FILE = r"(?!(?:cma|nr|thp)_|pg[a-z])"  # its name does not begin as a counter does
# What stands before the data of a line, one thing after the other.
_BEFORE = re.compile(
    r"(?:"
    r"(?:>(?![0-9])|[|│]|[*•-] (?=[A-Za-z\[<])|\+ ?(?=[A-Za-z\[<])|`(?!`)) ?"  # a mail, a list
    r"|<\d{1,2}>|\w+ ?: ?\w+ ?: (?=\[ ?\d)"  # a kernel log: level, time, task
    r"|\[ ?\+?\d+\.\d+(?: < ?\d+\.\d+>)?\](?: ?\[ ?[TC]\d+\])? ?"
    rf"|\[[A-Z][a-z]{{2}} [^\]]*\d\d:\d\d[^\]]*\] ?|\[(?:\d{{4}}-\d\d-\d\d[T ])?{_TIME}\] ?"
    rf"|(?:[A-Z][a-z]{{2}} \d{{1,2}} |\d{{4}}-\d\d-\d\d[T ]){_TIME}(?:Z|[+-]\d\d:?\d\d)? ?"
    rf"|{_TIME} |1[5-9]\d{{8}}(?:\.\d+)? (?=\[ ?\d|{_DATA})"
    rf"|\[?\d\d:\d\d\]? (?={_DATA}|\[ ?\d)|\d+ │ ?|['\"](?={_DATA}|\[ ?\d)"  # a chat, bat, Python
    r"|(?:[\w.-]+ )?(?:kernel|kern kernel|[\w.-]+\[\d+\]): ?(?:\.?\(\d\)\[[^\]]*\] ?)?"
    rf"|{_FILE}(?:[\w.~-]*/)+[\w.-]+:(?! ?\d+$)(?:\d+:)? ?|[\w./-]+\.\w+-\d+-"  # grep -H, -n, -C
    rf"|(?:node_vmstat_|{_FILE}(?:[\w-]*[.-][\w.-]+|vmstat|\w+info|before|after|delta|stdin):"
    r"(?:\d+:)? ?"
    rf"|\d+(?:[:.)] ?| ))(?={_DATA}|\[ ?\d|<\d)"
    r")"
)
# A prompt: what comes behind it is a command, or data, or nothing.
_PROMPT = re.compile(
    r"(?:\([\w.-]+\) ?)?(?:\[[^\]]*@[^\]]*\][$#%]|[\w.+-]+@[\w.-]+[^$#%>❯]*[$#%>❯]|In \[\d*\]:"
    r"|#{1,6}|PS [A-Z]:[^>]*>|[➜→] \S+|(?:[\w.-]+:)?[/~]\S* #|(?!Node)[^\s$#%>❯_]*[$#%❯])"
    r"(?: !?|$|(?<=[$#])(?=[A-Z]))!?"
)
_COMMAND = re.compile(
    r"(?:adb|awk|bash|cat|cd|clear|date|dmesg|docker|echo|egrep|exit|free|grep|head|history|hostname"
    r"|journalctl|kubectl|less|logout|ls|mmsim|more|perf|python|sed|sh|sleep|sort|ssh|su|sudo|tail"
    r"|tee|time|top|trace-cmd|uname|uptime|virsh|watch|zgrep)(?: .*)?"
    r"|(?!Node ).*(?:/proc/|/sys/).*"
)
_NOTHING = re.compile(
    r"[`~]{3,}.*|[-=*•_~.#+|`:─-╿]+|┌.*|#\+\w+.*|# entries-in.*|File: \S+|['\"{}\[\],]+|"
    r"[\w-]*[./][\w./-]*:(?:\d+:)?|[\w-]+:\d+:|logout|exit|\(END\)|\[sudo\].*|--More--.*|"
    r"[A-Z]\w+(?: \w+)? [\d.,]+s: .*|Script (?:started|done).*|1[5-9]\d{8}(?:\.\d+)?|"
    r".* \| (?:CHANGED|SUCCESS) \| rc=\d+ >>|(?:\S+ )?up \d.* load average: .*|"
    r".*\bcat /\S+(?: /\S+)*(?: ?[|>;&].*)?|Linux (?:version |\S+ \d+\.\d+\S* #)\d+.*|"
    r"\d+\.\d+\.\d+\S*-\S+|.*\b(?:wrote|writes|schrieb)\b.{0,60}:"
)
_RULER = re.compile(r"[-=*~#_+]{2,}>? (?!.*\d \d+ \d)(.*[^\W\d].*) <?[-=*~#_+]{2,}")
_MARKUP = re.compile(
    r"</?[@+%]?[A-Za-z][\w-]*(?: [^<>]*=[^<>]*| ?/)?>|<!\w[^<>]*>|\[/?(?:code|quote|pre)\]|"
    r"\{(?:code|noformat)[^{}]*\}"
)
_UNSEEN = re.compile(
    r"(?:\x1b|\^\[|ESC)(?:\[[0-9;?]*[A-Za-z]|[()][0AB])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|"
    r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
)
_DATE = re.compile(
    r"[^\W\d_a-z][^\W\d_]{0,8}[.,]?|(?:lun|mar|mer|jeu|ven|sam|dim|janv|févr|mars|avril|mai|juin|juil"
    r"|août|sept|oct|nov|déc|ene|abr|ago|dic|gen|mag|giu|lug|set|ott)\.?"
    r"|\d{1,2}[.,月日]?|(?:19|20)\d\d[.,年]?|\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d+)?"
    r"|[+-]\d{4}|\d{1,4}[./-]\d{1,2}[./-]\d{1,4}"
)
_NUMBERS = r"(?:>?\d+ )*>?\d+"
_WHOLE = r"\w+=\S+|\d+\*\d+kB|\([A-Z]+\)|=|\d+kB|\w+:"
# A line that another one goes on in: how it begins, how the other one looks, and whole words.
_WRAPPED = tuple(
    (re.compile(begins), re.compile(goes_on), re.compile("|".join(whole) or ".*"))
    for begins, goes_on, *whole in (
        (r"Node \d+, zone \S|Free pages count", _NUMBERS),
        (r"Node \d+,(?: zone(?: \S+, type)?)?$", rf"(?!Node)(?:[\w,.-]+ )*?{_NUMBERS}"),
        (r"Node \d+, zone \S+,$", rf"type \w+ {_NUMBERS}"),
        (r"Number of (?:mixed )?blocks", r"(?!Node)[A-Za-z]+(?: [A-Za-z]+)*"),
        (r"(?!.* reason=).*mm_migrate_pages:", r"[\w= ]+", _WHOLE),
        (r"(?!.*= ?\d+kB$)(?:.*\d\*\d+kB|Node \d+ \w+:$)", r"[\dA-Z*kB()= ]+", _WHOLE),
        (r"protection: \([\d, ]*$", r"[\d, ]+\)?"),
    )
)


def lines_of(text: str, file: str, called: str = "") -> list[Line]:
    """The lines of a pasted text that may hold data; PasteError if there are none.

    `file`: what the text should be; `called`: what the user calls it, if it has a name."""
    name = called or "this text"
    if not isinstance(text, str):
        raise PasteError(
            f"this is {type(text).__name__} instead of text: "
            f"give what 'cat {file}' prints, in quotes"
        )
    if len(text) > CHARS_MAX:
        raise PasteError(
            f"{name} has {len(text):,} characters, more than {CHARS_MAX:,}: paste {file} alone"
        )
    if "\0" in text:
        raise PasteError(f"{name} is not a text but something binary")
    sizes = list(map(len, text.splitlines()))
    if len(sizes) > LINES_MAX:
        raise PasteError(f"{name} has more than {LINES_MAX:,} lines: paste {file} alone")
    if max(sizes, default=0) > LINE_MAX:
        number = sizes.index(max(sizes)) + 1
        raise PasteError(f"line {number}: this is longer than {LINE_MAX:,} characters")
    plain = ((number, _plain(line)) for number, line in _numbered(text))
    lines = _joined(Line(number, line) for number, line in plain if line)
    if not lines:
        where = f"{called} is empty" if called else "line 1: there is no text here"
        raise PasteError(f"{where}: paste what 'cat {file}' prints")
    return lines


_BREAK = re.compile(r"<br ?/?>(?=.)", re.IGNORECASE)
_NEXT = re.compile(r"((?:zone|: ).{9,300}?[\dB])[ \t]+(?=Node +\d+(?:, +zone| \w+: \d))")
_NAMED = re.compile(r"\s*(?:\[[\w./-]+\]|[\w./~-]+(?: *\||:(?!\d)))")
_COUNTED = re.compile(r"\s*(\d{1,6})(?:[:.)]\s?|\s+|$)")


def _numbered(text: str) -> Iterable[tuple[int, str]]:
    """The lines and their numbers.  A mail may write "=3D" for "=", "=" for a broken line; some
    tools put the same name before all lines, count them, mark their ends, or join them."""
    if "\n" not in text.strip():  # as Python shows a text
        text = text.replace("\\n", "\n")
    joined = _BREAK.sub("\n", text).splitlines()
    text = "\n".join(_NEXT.sub(r"\1\n", s) if s.count("Node ") > 1 else s for s in joined)
    lines = [(n, line) for n, line in enumerate(text.splitlines(), start=1) if line.strip()]
    named = _NAMED.match(lines[0][1]) if len(lines) > 1 else None
    if named and all(line.startswith(named[0]) for _, line in lines):
        lines = [(n, line[named.end() :]) for n, line in lines]
    counts = [int(count[1]) if (count := _COUNTED.match(line)) else -1 for _, line in lines]
    if len(counts) > 2 and counts == list(range(counts[0], counts[0] + len(counts))):
        lines = [(n, _COUNTED.sub("", line, count=1)) for n, line in lines]
    if len(lines) > 1 and all(line.endswith("$") for _, line in lines):
        lines = [(n, line[:-1].replace("^I", " ")) for n, line in lines]
    if "=3D" not in text and not re.search(r"\d=20\s*$", text, re.MULTILINE):
        return lines
    whole: list[tuple[int, str]] = []
    for number, line in lines:
        if whole and whole[-1][1].endswith("="):
            number, line = whole[-1][0], whole.pop()[1][:-1] + line
        whole.append((number, line))
    codes = re.compile(r"=(3D|20|09|C2=A0)")
    return [(n, codes.sub(lambda m: "=" if m[1] == "3D" else " ", line)) for n, line in whole]


def _plain(line: str) -> str:
    """A line without its decoration; "" if nothing is left of it."""
    line = _MARKUP.sub(" ", _UNSEEN.sub("", line)).replace("\\_", "_")
    if "&" in line:
        line = html.unescape(line)
    words = line.split()
    table = len(words) > 2 and words[0] + words[-1] in ("||", "││")
    words = [word for word in words if not (table and word in "|│")]
    text = " ".join(words)
    ruler = _RULER.fullmatch(text)
    if _NOTHING.fullmatch(text) or _is_date(words) or (ruler and not _HAS_DATA.match(ruler[1])):
        return ""
    prompted = False
    for _ in range(LAYERS_MAX):
        before = _BEFORE.match(text)
        if before is None:
            prompt = _PROMPT.match(text)
            if prompt is None or prompted:
                break
            prompted, text = True, text[prompt.end() :].strip()
        else:
            text = text[before.end() :].strip()
    text = re.sub(r"(?<=[\w)]) ?(?:[|`]|['\"],?)$", "", text)
    said = prompted or (table and "_" not in text)  # by somebody, or the heading of a table
    if _NOTHING.fullmatch(text) or _is_date(text.split()) or (said and _is_command(text)):
        return ""
    return text


def _is_date(words: list[str]) -> bool:
    timed = re.search(r"(?:^| )\d{1,2}:\d\d(?!\S*(?: \d{1,2})+$)", " ".join(words))
    dated = len(words) == 1 or re.match(r"(?!.*\bNode\b).*(?:[^\W\d]|\d[./-]\d)", " ".join(words))
    return len(words) <= 9 and bool(timed and dated) and all(map(_DATE.fullmatch, words))


def _is_command(text: str) -> bool:
    """Is this what somebody typed behind a prompt, or a comment, and not data?"""
    if _COMMAND.fullmatch(text):
        return True
    return not re.search(r"[0-9]", text) and not _HAS_DATA.match(text)


def _joined(lines: Iterable[Line]) -> list[Line]:
    found: list[Line] = []
    for line in lines:
        last = found[-1].text if found and len(found[-1].text) < LINE_MAX else ""
        for begins, goes_on, whole in _WRAPPED:
            if begins.match(last) and goes_on.fullmatch(line.text):
                ends = last.rpartition(" ")[2], line.text.partition(" ")[0]
                gap = " " if all(map(whole.fullmatch, ends)) else ""
                torn = ends[0].isdigit() and ends[1].isdigit()
                line = Line(found.pop().number, f"{last}{gap}{line.text}", torn)
                break
        found.append(line)
    return found


# -- what can't be read


_COUNT = re.compile(r"[0-9]{1,19}")


def wrong(line: Line, what: str) -> NoReturn:
    """PasteError about a line."""
    raise PasteError(f"line {line.number}: {what}")


def quantity(line: Line, word: str, what: str) -> int:
    """`word` as a number, 0 or more; PasteError that names `what` it should be."""
    if not _COUNT.fullmatch(word):
        again = "which is 0 or more: paste the text again, unchanged"
        wrong(line, f"{word[:QUOTED_MAX]!r} is not {what}, {again}")
    return int(word)


_ENDS = (
    "-16 (EBUSY): a page that was tried stayed busy; -12 (ENOMEM): no free run is long enough, or "
    "there is no memory for a page to move to."
)
_CMA_MORE = (
    "The trace event mm_migrate_pages tells more, or /proc/vmstat before and after: cma_alloc_fail "
    "and pgmigrate_fail."
)
_FREE = "It says what is free and not what moved: mmsim show FILE shows it."
# What a line is -> how it looks, and what to say of it to who asks about something else: what it
# means, and which text or command tells more.
_KINDS: dict[str, tuple[re.Pattern[str], str]] = {
    FREE_LISTS: (re.compile(r"(?:Node \d+ )?\w+: \d+\*\d+kB.*"), _FREE),
    PAGETYPEINFO: (re.compile(r"Page block order:.*|Pages per block:.*|Node.*, type .*"), _FREE),
    BUDDYINFO: (re.compile(r"Node \d+, zone \w+(?: [0-9]+)+"), _FREE),
    ZONEINFO: (re.compile(r"per-node stats|pages free\b.*|Node \d+, zone \w+"), _FREE),
    "debugfs extfrag/extfrag_index or unusable_index": (
        re.compile(r"Node \d+, zone \S+(?: -?\d\.\d{3})+"),
        "In extfrag_index -1.000 means that a request would succeed; towards 0 memory is lacking, "
        "towards 1 it is in pieces. /proc/buddyinfo or /proc/pagetypeinfo tells more: "
        "mmsim show FILE.",
    ),
    "/proc/meminfo": (
        re.compile(r"\w+(?:\(\w+\))?: \d+ kB"),
        "It tells how much memory is free, not in which blocks, and not what moved. /proc/vmstat "
        "before and after tells what moved, and /proc/buddyinfo what is free.",
    ),
    VMSTAT: (
        re.compile(
            r"\W*(?:nr_|pg|thp_|cma_|compact_|drop_|allocstall|kswapd_|pswp|slabs_|oom_|unevict|numa_"
            r"|workingset_|balloon_|htlb_)\w*\W+\d.*"
        ),
        "It says what moved and not what is free: mmsim diagnose BEFORE AFTER reads two, and "
        "mmsim diagnose FILE a list of what moved.",
    ),
    "a line of the trace event mm_migrate_pages": (
        re.compile(r".*\bmm_migrate_pages(?:_start)?[:(].*"),
        "Only the event at the end of a call says what moved; mmsim diagnose FILE reads it alone.",
    ),
    "a trace event of CMA": (re.compile(r".*\bcma_\w+: (?:name|pfn)=.*"), f"{_ENDS} {_CMA_MORE}"),
    "a line of the kernel log, from cma_alloc()": (
        re.compile(r".*\bcma_alloc\b.*|cma: .*"),
        f"{_ENDS} {_CMA_MORE}",
    ),
    "a line of the kernel log, from alloc_contig_range()": (
        re.compile(r".*\balloc_contig_\w+.*|.*PFNs busy.*|.*test_pages_isolated.*"),
        "The owner of a CMA area found one of these page frames busy; its request goes on behind "
        "them, or ends: -16 (EBUSY) for busy pages, -12 (ENOMEM) for want of room or memory. "
        + _CMA_MORE,
    ),
    "a page that the kernel described after a failed migration": (
        re.compile(r".*page dumped because.*"),
        "Of its refcount, what is more than mappings and page cache is held by somebody. "
        "page_owner and the trace events page_ref tell by whom.",
    ),
    "a message about VFIO": (
        re.compile(r".*(?:VFIO_MAP_DMA|vfio_dma_map|vfio_\w*pin_\w+|_dma_map\(|RLIMIT_MEMLOCK).*"),
        "-12 (ENOMEM) means: a page could not leave CMA, or RLIMIT_MEMLOCK is too small "
        "(ulimit -l), or dma_entry_limit mappings are there already. /proc/vmstat before and after "
        "tells whether it was the page: mmsim diagnose BEFORE AFTER.",
    ),
}


def kind_of(line: Line) -> str:
    """What a line is, "" if it looks like nothing that is known."""
    return next((name for name, (form, _) in _KINDS.items() if form.fullmatch(line.text)), "")


def what_it_is(lines: Iterable[Line], ours: Collection[str]) -> str:
    """What to say of the first line that is known and none of `ours`; "" if there is none."""
    for line in lines:
        kind = kind_of(line)
        if kind and kind not in ours:
            seems = "looks like" if kind in (*OF_MEMORY, VMSTAT) else "is"
            return f"line {line.number}: this {seems} {kind}. {_KINDS[kind][1]}"
    return ""


def refuse(line: Line, file: str, where: str = "") -> NoReturn:
    """PasteError for a line that does not belong into `file`, with the likeliest reason."""
    if "permission denied" in line.text.lower():
        wrong(line, f"only root may read {file} there: paste what 'sudo cat {file}' prints")
    if said := what_it_is([line], (*OF_MEMORY, VMSTAT)):
        raise KnownText(said)
    other = kind_of(line)
    if other and other != file:
        wrong(line, f"this looks like {other}: paste what 'cat {file}' prints, and nothing else")
    again = "paste the log again" if file == FREE_LISTS else f"paste all that 'cat {file}' prints"
    what = f"{line.text[:QUOTED_MAX]!r} is no line of {file}{where}"
    wrong(line, f"{what}: {again}, and nothing else")
