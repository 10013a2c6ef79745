"""The tasks of lesson 06."""

from __future__ import annotations

from typing import Any

from mmsim.checks import ANSWERED, Verdict, failed, letters, passed, task
from mmsim.engine.trace import Trace
from mmsim.evidence.tracer import migrate_returns
from mmsim.mm.versions import TRY_AGAIN, VERSIONS, get
from mmsim.policy import PolicyError, limited, own_policy
from mmsim.scenarios import Situation, vfio_map

# -- recall

RECALL = {
    "renamed": ("b", "a split refused for another reason keeps its code, -EBUSY or -ENOMEM"),
    "first": ("a", "in base a refused split ends the call with the error of the missing page"),
    "two": ("b", "a split huge page counts as a failure, so the pin fails even if all has moved"),
}


letters(
    "06.recall",
    RECALL,
    "All three are in lesson 04.",
)


# -- the reviewer

LETTERS_MIN = 20
# What the list spoke of -> words by which a remark on it can be known.
SUBJECTS = {
    "is the explanation right?": ("explain", "explanation", "why does", "positive", "true that"),
    "other callers of migrate_pages()": (
        "caller",
        "else call",
        "move_pages",
        "other reason",
        "cma",
        "compact",
    ),
    "the value that is returned": ("return", "rc", "errno", "error code", "-ebusy", "-enomem"),
    "evidence that it helps": ("test", "data", "measure", "reproduce", "numbers", "how often"),
}


@task(
    "06.review",
    "a list of three texts, each one a remark for the author",
    "Follow one variable through the code. Who reads it last?",
    "A patch comes with a claim and a reason. Would you believe both without evidence?",
    "Who else calls the function that is changed?",
)
def review(answer: Any) -> Verdict:
    """Open: nothing is right or wrong, but three remarks are asked for."""
    if not isinstance(answer, list | tuple):
        return failed("write a list of texts: ['...', '...', '...']")
    texts = [" ".join(text.casefold().split()) for text in answer if isinstance(text, str)]
    remarks = {text for text in texts if len(text) >= LETTERS_MIN}
    if len(remarks) < 3:
        told = f"of a sentence ({LETTERS_MIN} letters or more) each"
        return failed(f"three different remarks {told} are asked for; these are {len(remarks)}")
    said = " ".join(remarks)
    met = [subject for subject, words in SUBJECTS.items() if any(word in said for word in words)]
    found = f"By their words they touch on: {'; '.join(met)}." if met else ""
    return passed("noted. Now compare with what the list said", found)


# -- the first patch's explanation

NO_COUNT = "a page that was busy and has moved in the end leaves no count"
ENDS: dict[str, dict[str, Any]] = {
    "busy twice, then moved whole": {"targets": "available", "released": "2"},
    "split at once": {"stranger": 0},
    "refused twice, then split": {"released": "2"},
    "refused in every pass": {},
}


@task(
    "06.explain",
    "a dict: what happens -> what migrate_pages() returns in v1, as a number",
    "A page that was busy and moved in the end has not failed.",
    "A huge page that is split has not been moved whole: that counts as one failure.",
    "Each refusal counts one failure, and the split one more.",
    parts=dict.fromkeys(ENDS, int),
)
def explain(answer: dict[str, int]) -> Verdict:
    """Judged by running v1."""
    for end, knobs in ENDS.items():
        run = vfio_map("v1", **knobs).run()
        found, refused = migrate_returns(run)[-1], _refused(run)
        if answer[end] == found:
            continue
        if "06.explain" not in ANSWERED:
            return failed(f"{end}: not {answer[end]}; what counts at a refusal, what at the end?")
        rest = "giving up" if _refused(run) > 9 else "the huge page that was split"
        why = f"{refused} for refused splits, {found - refused} for {rest}" if found else NO_COUNT
        return failed(f"{end}: in v1 migrate_pages() returns {found}: {why}")
    return passed(
        "tries alone leave nothing behind: a positive number comes from a split, or from giving up"
    )


def _refused(run: Trace) -> int:
    return int(run.last.world.vmstat["thp_split_page_failed"])


# -- who can notice


def what_it_gets(caller: str, version: str) -> str:
    """What a caller is told when a split is refused because of a reference that stays."""
    situation = vfio_map(version, reason=CALLERS[caller])
    trace = situation.run()
    return situation.result(trace.last)


CALLERS = {
    "a long-term pin": "longterm_pin",
    "move_pages(), the system call": "syscall",
    "NUMA balancing": "numa_misplaced",
}


@task(
    "06.callers",
    "a dict: caller -> True if it gets something else from v1 than from base",
    "Which cell of the decision table does each one meet? And does it pass the code on?",
    "v1 changed the code for refused splits only.",
    "The pin makes -ENOMEM of any failure of migrate_pages(); NUMA balancing never splits.",
    parts=dict.fromkeys(CALLERS, bool),
)
def callers(answer: dict[str, bool]) -> Verdict:
    """Judged by running base and v1 for each caller."""
    for caller in CALLERS:
        base, v1 = what_it_gets(caller, "base"), what_it_gets(caller, "v1")
        if answer[caller] != (base != v1) and "06.callers" not in ANSWERED:
            return failed(f"{caller}: what does v1 return to it, and what does it make of that?")
        if answer[caller] != (base != v1):
            return failed(f"{caller}: base gives {base}, v1 gives {v1}")
    return passed("move_pages() is told something else, like the owner; neither had asked for it")


# -- why a code of its own


def always_again() -> Situation:
    """A split without memory for it, under a version that tries again after every refusal."""
    return vfio_map(own_policy(lambda attempt: TRY_AGAIN), stranger=0, trouble="nomem")


@task(
    "06.code",
    "a dict with the number of refused splits, and the result of the pin as text",
    "Does it help to ask again, at once, for memory that is not there?",
    "It is refused in every one of the ten passes.",
    'refused: 10, pin: "-ENOMEM"',
    parts={"refused": int, "pin": str},
)
def code(answer: dict[str, Any]) -> Verdict:
    """Judged by a run of a policy that always tries again."""
    situation = always_again()
    trace = situation.run()
    refused, result = _refused(trace), situation.result(trace.last)
    pin = f"-{answer['pin'].strip().upper().removeprefix('-')}"
    if "06.code" not in ANSWERED and (answer["refused"], pin) != (refused, result):
        return failed(
            "not so: what has changed when the split is tried again, and when is the end?"
        )
    if answer["refused"] != refused:
        return failed(f"the split is refused {refused} times: nothing changes between two passes")
    if pin != result:
        return failed(f"after {refused} refusals the pin comes to {result}")
    return passed(f"{refused} refusals, and {result} all the same: trying again can't help here")


# -- a test that tells the versions apart

OLD, NEW = "v1", "v2"
UNTOUCHED = Verdict("not attempted", "the function returns nothing yet")


@task(
    "06.regression",
    "a function of a version that returns True or False",
    "For which callers did v1 change something? The pin is not one of them.",
    'Run vfio_map(version, reason="contig_range"): what is run.results["migrate"]?',
    'It is -12 (-ENOMEM) in base and has to stay that: return run.results["migrate"] == -12',
)
def regression(test: Any) -> Verdict:
    """Judged by running it on rows without their names: base and v2 pass, v1 fails."""
    if not callable(test):
        return failed("hand in the function itself: check('06.regression', test)")
    said = {}
    for name in VERSIONS:
        # Without its name a version is what it does.
        row = get(name)._replace(name="", title="")
        try:
            said[name] = limited("test", test, row)
        except PolicyError as error:
            return failed(str(error))
        if said[name] is None and name == "base":
            return UNTOUCHED
        if not isinstance(said[name], bool):
            return failed(f"with {name} it returns {said[name]!r:.40}, not True or False")
    for name in ("base", NEW):
        if not said[name]:
            return failed(f"{name} does not pass it, and should: it keeps what others rely on")
    if said[OLD]:
        return failed(f"{OLD} passes it, too: the test does not look at what {OLD} changed")
    left = [name for name, ok in said.items() if not ok and name != OLD]
    also = f"; {', '.join(left)} fails as well" if left else ", and every later version, too"
    return passed(f"{OLD} fails, base and {NEW} pass{also}")


# -- what v2 promises

PROMISES: dict[str, tuple[bool, str]] = {
    "soon": (True, "ten passes look ten times; the first that finds it gone splits the page"),
    "longer": (False, "no reference is waited for: ten refusals at once, and the pin fails"),
    "pieces": (False, "a piece has one pass in every version; one held piece fails the pin"),
    "alone": (False, "without its companion even a rescued split returns a positive number"),
    "truncated": (True, "its split is refused with -EBUSY, and only -EAGAIN is tried again"),
    "proof": (False, "the author said it would be tested; no success rate was published"),
}


def promise_holds(name: str) -> bool:
    """What the model says of a statement; `proof` is not about the model."""

    def pinned(version: str = NEW, **knobs: object) -> bool:
        return bool(vfio_map(version, **knobs).run().results["pin"] > 0)

    if name == "soon":
        return all(pinned(released=str(k), order=1) for k in range(1, 10))
    if name == "longer":
        return pinned()
    if name == "pieces":
        return pinned(taken="0.move_freeze")
    if name == "alone":
        return pinned("2/2-only", released="3", order=1)
    if name == "truncated":
        trace = vfio_map(NEW, stranger=0, trouble="truncated").run()
        return bool(trace.last.world.vmstat["thp_split_page_failed"] == 1)
    return False


@task(
    "06.promises",
    "a dict: statement -> True or False",
    "Two of the six are true.",
    "How many attempts does a piece get? What did the author answer when he was asked?",
    "soon and truncated are true",
    parts=dict.fromkeys(PROMISES, bool),
)
def promises(answer: dict[str, bool]) -> Verdict:
    """Judged by running v2, but for what only the thread can tell."""
    for name, (_, why) in PROMISES.items():
        if answer[name] != promise_holds(name):
            return failed(f"{name} is {promise_holds(name)}: {why}")
    return passed("two promises; the rest it does not make")
