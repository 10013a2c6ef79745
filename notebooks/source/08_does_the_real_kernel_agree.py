# %% [markdown]
# # 08 · Does the real kernel agree?
#
# *40 minutes, optional (one card of lesson 09 asks about it). You have done lesson 04; lesson 07 helps.*
#
# After this lesson you can
#
# - match the trace of a real kernel with the steps of the model;
# - name three things that the model has no word for, and write a rule for one of them;
# - say how often the patch helped while `drop_caches` ran on a real kernel, and why;
# - say what such numbers support, and what evidence would change your mind.
#
# | part | minutes |
# | --- | --- |
# | Recall | 3 |
# | Which run was it? | 5 |
# | Line by line | 9 |
# | A missing rule | 8 |
# | What the patch bought | 12 |
# | What the data support | 3 |

# %%
from mmsim import Prediction, agreements, check, differing, disturbed, hint, left_behind
from mmsim import measured_table, missed_piece, pins_beside_drop_caches, ready, recheck, show_chart
from mmsim import show_state, show_table, stall_examples, trace_lines, trace_picker
from mmsim import unnamed_lines, unnamed_trace, ways_to_fail

ready()

# %% [markdown]
# ## Recall
#
# Three questions about earlier lessons, from memory. One letter each.
#
# - `window` (07): ten passes, one tick apart. Which holder do they mostly outlast? **a** one who holds for 100 ticks,
#   **b** one who holds for less than about 9 ticks, **c** any, since there are ten.
# - `pieces` (04): a huge page has been split, and one of its pieces is busy when its turn comes. In v2 it gets **a**
#   ten passes, **b** another pass after a pause, **c** no other pass.
# - `proved` (00): that `drop_caches` held the reference in the reported failure was **a** never proved, **b** proved by
#   the two counters, **c** proved by the patch.

# %% tags=["student"]
recall = {"window": None, "pieces": None, "proved": None}
check("08.recall", recall)

# %% tags=["solution"]
recall = {"window": "b", "pieces": "c", "proved": "a"}
check("08.recall", recall)

# %% [markdown]
# ## Which run was it?
#
# **The kernel that was measured.** A Linux 6.1.192 in an emulated machine (QEMU, no hardware support): its logic and
# its counters are exact, its times are not. The loop of `migrate_pages()` of October 2022 was written into it once more, with
# switches for *base*, *v1* and *v2*, so that the three can take turns in one boot. The return value is repaired in all
# of them, so in the model *base* is called `6.1.0`, and *v2* is called `v3`; *v1* is `v1`. The isolation test of the pin is
# the repaired one, as in the model.
#
# These counters moved during one long-term pin. (`pgmigrate_…` counts small pages, `thp_…` huge ones; `thp_migration_split`
# those that were split because they could not be moved whole.)

# %%
unnamed = unnamed_trace()
show_table(measured_table(unnamed))

# %% [markdown]
# **Task.** Which run of the model counts the same? (A stranger who never lets go holds the first huge page, if nothing
# else is said.)
#
# - **a** `vfio_map("6.1.0", thps=4)`
# - **b** `vfio_map("v3", thps=4)`
# - **c** `vfio_map("v3", thps=4, stranger=0)`
# - **d** `vfio_map("v3", thps=4, targets="available")`

# %% tags=["student"]
which = None
check("08.which", which)

# %% tags=["solution"]
which = "b"
check("08.which", which)

# %% [markdown]
# ## Line by line
#
# A *trace* says what happened in which order. Six lines of the same pin, as the kernel wrote them (a *note* was added
# for the measurement; `gup` is the pin, `ref` and `map` count references and mappings; -12 is -ENOMEM, -11 is -EAGAIN):

# %%
unnamed_lines()

# %% [markdown]
# **Task.** Give each line its label. Three of the nine are left over.
#
# | labels | | |
# | --- | --- | --- |
# | `"no huge page is free"` | `"a split is refused"` | `"a split has worked"` |
# | `"a pass ends"` | `"the call adds up its counters"` | `"the pin gives up"` |
# | `"a huge page has moved whole"` | `"the stranger lets go"` | `"memory is compacted"` |

# %% tags=["student"]
labels = dict(A=None, B=None, C=None, D=None, E=None, F=None)
check("08.labels", labels)

# %% tags=["solution"]
labels = dict(A="no huge page is free", B="a split is refused", C="a split has worked")
labels |= dict(D="a pass ends", E="the call adds up its counters", F="the pin gives up")
check("08.labels", labels)

# %% [markdown]
# The model can be asked for the same lines. There are twelve traces of pins that met a reference held for ever: base, v1
# and v2 in four set-ups: one huge page or four with no free one, a free one, real fragmentation. In how many of the twelve
# does at least one line differ from the model's? And in how many
# does a line about *references, splits or return values* differ?

# %%
guess = Prediction(
    "Of twelve traces, in how many does a line differ: any line, or one of a kind?",
    {"any line": (0, 1, 3, 6, 12), "about references, splits, returns": (0, 1, 3, 6, 12)},
)

# %% tags=["nbval-ignore-output"]
trace_picker(unlock=guess)

# %% [markdown]
# Pick a trace, and walk along its lines; the picture shows the model at that line. With another version under
# *model* you see what a wrong guess looks like. (Rounds count from 1 there, in the kernel's notes from
# 0.) Without a widget, store your two numbers here (0, 1, 3, 6 or 12).

# %% tags=["student"]
guess.store(**{"any line": None, "about references, splits, returns": None})

# %% tags=["solution"]
guess.store(**{"any line": 3, "about references, splits, returns": 0})

# %%
twelve = agreements("S3_")
happened = {"any line": differing(twelve)}
happened |= {"about references, splits, returns": differing(twelve, of_the_pin=True)}
guess.show_against(happened)

# %%
show_table(twelve[["kernel", "lines that agree", "what differs"]], after=guess)
lines = trace_lines("S3_real_held_base_retfix1.txt")
show_table(lines, folded="One of the twelve, line by line: real fragmentation, base", after=guess)

# %% tags=["solution", "check"]
assert len(twelve) == 12 and happened == {"any line": 3, "about references, splits, returns": 0}

# %% [markdown]
# **Task.** Six things that were measured. For which of them has a run of `vfio_map` *nothing* to compare with: a gap?
#
# | name | measured |
# | --- | --- |
# | `duration` | how many microseconds the pin took |
# | `compaction` | how often memory was compacted in search of a huge page |
# | `machine` | `pgalloc_dma32`: how many pages the whole machine allocated meanwhile |
# | `references` | 515 references where 514 were expected |
# | `passes` | how many pages were seen in pass 3 |
# | `returned` | what `migrate_pages()` returned |

# %% tags=["student"]
gaps = dict(duration=None, compaction=None, machine=None)
gaps |= dict(references=None, passes=None, returned=None)
check("08.gaps", gaps)

# %% tags=["solution"]
gaps = dict(duration=True, compaction=True, machine=True)
gaps |= dict(references=False, passes=False, returned=False)
check("08.gaps", gaps)

# %% [markdown]
# ## A missing rule
#
# In `vfio_map` a knob says whether a huge page is free. A real kernel that has none first **compacts** memory: it moves
# pages together until a huge page is free or nothing can be done. `compact_stall` counts how often a request had to
# wait for that (a *stall*), `compact_fail` how often in vain. Pins that were measured under real fragmentation:

# %%
show_table(stall_examples())

# %% [markdown]
# **Task.** Write the rule that is missing. It gets the four counters of a finished pin, `pin.thp_migration_success`,
# `pin.thp_migration_fail`, `pin.thp_split_page` and `pin.thp_split_page_failed`, and returns how many stalls there
# were. The judge holds it against all 1,185 pins. (Stuck? `hint("08.rule")`, and so on for each task; each call gives
# the next one.)


# %% tags=["student"]
def stalls(pin):
    number = None
    return number


check("08.rule", stalls)


# %% tags=["solution"]
def stalls(pin):
    attempts = pin.thp_split_page + pin.thp_split_page_failed
    return 2 * attempts


check("08.rule", stalls)

# %% [markdown]
# Your rule on the six traces under real fragmentation (three with nobody there and four huge pages), and on all pins:

# %%
show_table(recheck(stalls), after="08.rule")

# %% [markdown]
# <details><summary><b>Why two, and what about the rest?</b> Open when you have a rule.</summary>
#
# Each attempt to move a huge page asks for a free one. In Linux 6.1 such a request compacts at most twice
# (`__alloc_pages_slowpath()`: first in a hurry, then more thoroughly), and both are counted, also when compaction
# is put off because it failed lately (`__alloc_pages_direct_compact()`). No counter counts attempts; but each attempt
# that finds no huge page ends in a split, done or refused, so the two split counters add up to their number.
#
# Of the 1,059 pins among pages that can't be moved, one has a stall more; of the 126 among pages that can, two have
# six without a split. A rule that explains 1,182 of 1,185 rows is a good rule, and the three others are the place
# where the next thing would be learned.
#
# </details>

# %% tags=["solution", "check"]
from mmsim.practice.stalls import MOVABLE, PINNED_DOWN, checked

twice = lambda pin: 2 * (pin.thp_split_page + pin.thp_split_page_failed)  # noqa: E731
fixed, movable = checked(twice, PINNED_DOWN), checked(twice, MOVABLE)
assert (fixed.right, fixed.rows) == (1058, 1059) and (movable.right, movable.rows) == (124, 126)
assert fixed.rows + movable.rows == 1185 and fixed.right + movable.right == 1182
assert (fixed.wrong.said, fixed.wrong.measured) == (8, 9)
assert (movable.wrong.said, movable.wrong.measured) == (0, 6)

# %% [markdown]
# ## What the patch bought
#
# So far one reference was held on purpose. Now the real thing: `drop_caches` runs while memory is pinned. Huge pages
# lie in CMA, and the allocation of a free one is made to fail, so that each has to be split. Seven scenarios:
# `drop_caches` in a tight loop, or every 20 or 100 ms, or once at a random moment; one, 8 or 32 huge pages. (*Value
# 3*: other caches are dropped as well.) 1,020 pins for each kernel: 510 with the loop of October 2022, and 510 with the
# later one of 6.1.192 itself. (The patch came into it with 6.1.116; there *base* and *v1* undo it or change it.)
#
# There was a fourth kernel: v2 with a switch that existed in no kernel of 2022. With it a *piece* of a split huge page
# that is busy asks for another pass, as a huge page does.
#
# About how many of 1,020 pins fail: 0, 100, 250, 500, 750 or 1,000? (What happened is rounded to hundreds, too.)

# %%
effect = Prediction(
    "Of 1,020 pins while drop_caches runs, about how many fail?",
    dict.fromkeys(("base", "v1", "v2", "v2, pieces tried again"), (0, 100, 250, 500, 750, 1000)),
)

# %% tags=["student"]
numbers = {"base": None, "v1": None, "v2": None, "v2, pieces tried again": None}
effect.store(**numbers)

# %% tags=["solution"]
numbers = {"base": 500, "v1": 500, "v2": 500, "v2, pieces tried again": 0}
effect.store(**numbers)

# %%
failed = {kind: disturbed(kind).failed.hits for kind in effect.choices}
effect.show_against({kind: round(number, -2) for kind, number in failed.items()})

# %%
show_chart(pins_beside_drop_caches(), after=effect)

# %% tags=["solution", "check"]
assert list(failed.values()) == [501, 500, 503, 4]
assert all(disturbed(kind).failed.trials == 1020 for kind in failed)
assert all(disturbed(kind, loop="oct22").failed.trials == 510 for kind in failed)
from mmsim.evidence.measured import SCENARIOS

ends = [[disturbed(k, s).failed.interval for k in ("base", "v1", "v2")] for s in SCENARIOS]
assert len(ends) == 7 and all(max(e)[0] < min(high for _, high in e) for e in ends)

# %% [markdown]
# <details><summary><b>No difference can be seen.</b> Open when you have predicted.</summary>
#
# base 501, v1 500, v2 503 of 1,020. In every scenario the intervals of the three overlap: if the patch changes how often
# a pin fails *here*, it is too little to be seen. And a switch nobody had asked for takes nearly all failures away: 4 of
# 1,020.
#
# </details>

# %% [markdown]
# Why? It was also measured what each failed pin left in CMA.
#
# **Task.** After how many of the 503 failed v2 pins was a huge page still *whole*, one that could not be split:
# `"none"`, `"a third"`, `"most"`, `"all"`?

# %% tags=["student"]
whole = None
check("08.left", whole)

# %% tags=["solution"]
whole = "none"
check("08.left", whole)

# %%
show_chart(left_behind(), after="08.left")

# %% tags=["solution", "check"]
v2 = disturbed("v2")
assert min(v2.busy_lock, v2.busy_reference) > 0
assert disturbed("base", loop="oct22").huge_page_left == 5
assert (v2.huge_page_left, v2.only_pieces_left) == (0, 503)
assert round(sum(left <= 2 for left in v2.pages_left) / 503, 1) == 0.5
assert (disturbed("base").huge_page_left, disturbed("v1").huge_page_left) == (6, 1)

# %% [markdown]
# <details><summary><b>The split had worked.</b> Open when you have answered.</summary>
#
# The failure of the report, a huge page that can't be split, is there: 6 times in base (5 with the loop of October
# 2022, the ones of lesson 05), once in v1, never in v2. But those are 6 of 501. In all the others every huge page *had*
# been split. What stayed were single pieces, in half of the cases only one or two, locked or with one more reference
# for a moment, because `drop_caches` had just come to them. A piece has one pass. One piece left is one page that may
# not be pinned, and the whole pin fails.
#
# </details>
#
# ### The same in the model, by search
#
# Another scenario, `pin_versus`, has both: a pin and a walk of `drop_caches`. A search goes through every order of
# their steps and gives the exact odds of each end. (A huge page of two pieces; eight passes, where lesson 07 had two for
# *drop_caches*; the pin moves eight times as often as `drop_caches`, or the walk would be over before a piece's turn comes.)
#
# **Task.** What becomes *less likely*: from `6.1.0` to `v3`, and from `v3` to `subpage_retry`?

# %% tags=["student"]
less = {"v3, could not be split": None, "v3, a piece missed its pass": None}
less |= {"subpage_retry, could not be split": None, "subpage_retry, a piece missed its pass": None}
check("08.columns", less)

# %% tags=["solution"]
less = {"v3, could not be split": True, "v3, a piece missed its pass": False}
less |= {"subpage_retry, could not be split": False, "subpage_retry, a piece missed its pass": True}
check("08.columns", less)

# %%
odds = ways_to_fail(("6.1.0", "v3", "subpage_retry"))
show_table(odds, after="08.columns")

# %% tags=["solution", "check"]
missed, split = odds["a piece missed its pass"], odds["could not be split"]
assert missed["6.1.0"] == missed["v3"] != missed["subpage_retry"]
assert split["6.1.0"] != split["v3"] == split["subpage_retry"]
assert float(split["6.1.0"][:-1]) > 50 > float(missed["6.1.0"][:-1])

# %% [markdown]
# <details><summary><b>What the search says.</b> Open when you have answered.</summary>
#
# The patch helps against a split that is refused, and leaves *a piece missed its pass* exactly as likely as it was;
# retrying pieces does the opposite.
#
# **The order is reversed**: in the model's `6.1.0` most pins fail because the huge page could not be split; measured,
# nearly all failed because of pieces. The odds depend on the pace and on how many pieces there are, two here and 512
# there, so they do not carry over. What a change *touches* does: the patch's passes act before the split, when there is
# no piece yet, and trying pieces again acts after it, here as there.
#
# Below is a shortest run in which a piece misses its pass, at the step where it happens: the freeze finds one reference
# too many, for just this moment.
#
# </details>

# %%
run = missed_piece("v3")
show_state(run, run.find("folio_ref_freeze", 2), after="08.columns")

# %% tags=["solution", "check"]
assert run.events[run.find("folio_ref_freeze") - 1].answer is True  # the huge page
assert run.events[run.find("folio_ref_freeze", 2) - 1].answer is False  # its piece
assert run.results["pin"] == -12 and run.last.world.vmstat["thp_split_page"] == 1

# %% [markdown]
# > **A common mistake:** "the patch fixes the failure, so the failure was what the patch is about". A failure that gives
# > the same error can come from another step. Count what is left behind before you say what went wrong.
#
# ## What the data support
#
# **Task.** Which of these statements do the measured rows support?
#
# | name | statement |
# | --- | --- |
# | `same` | In these runs no difference between base and v2 can be seen in how often a pin fails beside `drop_caches`. |
# | `useless` | The patch never helps. |
# | `rate` | On a production host about half of all pins fail while `drop_caches` runs. |
# | `reporter` | The reporter's pins failed because of pieces. |
# | `second` | In these runs nearly all v2 failures came after the split had worked. |
# | `pieces` | In these runs trying pieces again would have avoided nearly all failures. |

# %% tags=["student"]
says = dict(same=None, useless=None, rate=None, reporter=None, second=None, pieces=None)
check("08.support", says)

# %% tags=["solution"]
says = dict(same=True, useless=False, rate=False, reporter=False, second=True, pieces=True)
check("08.support", says)

# %% [markdown]
# <details><summary><b>The small print.</b> Open when you have answered.</summary>
#
# - The machine was *emulated*: slower than silicon, and not evenly so. How often `drop_caches` and a move meet depends on
#   how long each takes. Read ratios between kernels, not rates.
# - The missing huge page was *made* to be missing, before any compaction; a real search takes time, and time helps the
#   patch (lesson 07).
# - `drop_caches` in a loop is nothing that a host does all day, and the machine had few files. With many, a walk comes to
#   the guest's pages seldom.
# - The reporter's counters show a refused *split*. Pieces left behind give other counters: `thp_split_page_failed` stays
#   at 0. So a pin that fails in this way does not give his counters; what refused the split, nobody has measured.
#
# **What evidence would change the conclusion?** The same rows from a machine with hardware support; failed pins of real
# hosts, counted by what they left behind; the reporter's failure with a trace. In 2022 a reviewer suggested numbers
# from before and after. None came up in the discussion.
#
# </details>

# %% tags=["solution", "check"]
missed_run = run.last.world.vmstat
assert missed_run["thp_split_page_failed"] == 0 < missed_run["thp_migration_fail"]
from mmsim import real_trace

assert real_trace("S3_held_base_retfix1.txt").delta["thp_split_page_failed"] == 1
assert v2.huge_page_left == 0 and 512 - 2 ** run.scenario.knobs["order"] == 510

# %% [markdown]
# ## What to keep
#
# - A model that agrees with a trace line by line has earned trust for those lines, and for nothing else.
# - A rule is good if it predicts rows that it was not made from. What it does not explain is where to look next.
# - Beside `drop_caches` no pin of v2 failed because of a refused split, and about as many failed as without the patch:
#   one step later, where a piece has one pass.
# - Say what was measured, on what, and what that does not show.
#
# ## What this model leaves out
#
# | left out | consequence |
# | --- | --- |
# | durations, except with the model's clock | which step a walk of `drop_caches` meets is a matter of odds, not of microseconds |
# | 510 of the 512 pieces, in the search | more pieces, more chances to miss a pass: the odds of the search are not the measured shares |
# | other files that `drop_caches` walks over | in the model it comes to the guest's memory at once |
# | the rest of the machine | counters of the whole machine are compared only where the pin alone moves them |
#
# ## More to try
#
# 1. In the picker, choose *real fragmentation, one reference for ever · v2* and the model `base`; or, without it,
#    `show_table(trace_lines("S3_real_held_v2_retfix1.txt", "base"))`. Which is the first line that differs, and which
#    lines could you explain by that one?
# 2. Make the passes of the search fewer: `ways_to_fail(("6.1.0", "v3", "subpage_retry"), passes=2)`. Which ways to
#    fail become likelier, in which version, and why not in the others?
# 3. Write down, before you read on elsewhere, the one measurement that you would ask for in a review.
#
# **Next:** lesson 09, *Capstone and recall*: a report that you have not seen before.

# %% [markdown] tags=["solution"]
# **Model answers.**
#
# 1. The split returns -EBUSY where -EAGAIN was measured. Nearly everything after it follows: base leaves at once, so there
#    is one pass instead of ten, one refusal instead of ten, and one failure instead of eleven. `compact_stall` and
#    `compact_fail` do not: there the model has no word in any version.
# 2. *Could not be split*, in v3 and `subpage_retry`: with two passes instead of eight a reference is outlasted less often.
#    *A piece missed its pass*, in `subpage_retry` alone: elsewhere a piece has one pass anyway. `6.1.0` leaves at the
#    first refusal, so nothing changes there.
# 3. For instance: failed pins on hosts in production, each with what it left in CMA, for a week before and a week after.

# %% tags=["solution", "check"]
beside = trace_lines("S3_real_held_v2_retfix1.txt", "base")
odd = beside[beside["agrees"] == "≠"]
assert odd.iloc[0][["what", "measured", "model"]].tolist() == [
    "huge page A: split_huge_page_to_list() returns", "-EAGAIN", "-EBUSY"
]  # fmt: skip
ends = beside[beside["what"].str.contains("end of the pass")]
assert (len(ends), (ends["model"] != "—").sum()) == (10, 1)

# %% tags=["solution", "check"]
few = ways_to_fail(("6.1.0", "v3", "subpage_retry"), passes=2)
assert few.loc["6.1.0"].tolist() == odds.loc["6.1.0"].tolist()
assert few["a piece missed its pass"]["v3"] == missed["v3"]
for version in ("v3", "subpage_retry"):
    assert float(few["could not be split"][version][:-1]) > float(split[version][:-1])
assert float(few["a piece missed its pass"]["subpage_retry"][:-1]) > float(
    missed["subpage_retry"][:-1]
)
