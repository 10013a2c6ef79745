# %% [markdown]
# # 04 · Migrate, or split and migrate
#
# *80 minutes, and 15 more for how long "at once" is. You have done lessons 00 and 01. (02 and 03 are about how the
# page comes to lie in CMA, and why no huge page may be free elsewhere.)*
#
# A patch was proposed for the failure of lesson 00: *try the split again*. This lesson calls the kernel without it
# `base`, and the kernel with the patch's second version `v2`. Other versions come in where they are needed.
#
# After this lesson you can
#
# - follow a huge page from "lies in CMA" to "pinned" or `-ENOMEM`, decision by decision;
# - say for four situations which counters move and what the caller gets;
# - name the two places where a split can be refused, and what each leaves behind;
# - say in which window `drop_caches` fails a pin, and what the patch cannot reach;
# - tell what version 1 and version 2 of the patch change, and what they don't.
#
# | part | minutes |
# | --- | --- |
# | recall; one question decides the way | 17 |
# | one stray reference; the two places of a refusal | 16 |
# | the patch: look again, at once | 14 |
# | the stranger becomes `drop_caches`; what the patch does not reach | 18 |
# | version 1 told everybody; does a real kernel do this? | 9 |
# | what has not been shown; six statements | 6 |
# | how long is "at once"? | 15 more |
#
# In a hurry? Stop after "The stranger becomes `drop_caches`" and come back.

# %%
from mmsim import Prediction, align, alignment, check, console, counters_by_version, counters_of
from mmsim import counters_of_runs, decision_table, drop_caches_only, hint, measured_counters, met
from mmsim import SMALL, pin_versus, reached, ready, real_trace, retry_table, show_chart, show_diff
from mmsim import show_flow, show_state, show_table, show_trace, show_windows, stepper
from mmsim import timed_hold, timed_release, vfio_map

ready()

# %% [markdown]
# ## Recall
#
# Three questions about lessons 00 and 01, one letter each. (Stuck? `hint("04.recall")` in a cell of your own is a
# first hint; every task has some, under its own name.)
#
# - `count`: a huge page of a memfd, mapped once, isolated by the caller, nobody else. Its reference count?
#   **a** 513, **b** 514, **c** 515.
# - `ends`: which of these ends by itself, and soon? **a** a mapping, **b** the pin of a device, **c** the look that
#   `drop_caches` takes.
# - `failed`: `thp_split_page_failed` counts **a** small pages, **b** splits that were begun and refused, **c** every
#   page that was not split.

# %% tags=["student"]
recall = {"count": None, "ends": None, "failed": None}
check("04.recall", recall)

# %% tags=["solution"]
recall = {"count": "b", "ends": "c", "failed": "b"}
check("04.recall", recall)

# %% [markdown]
# ## One question decides the way
#
# A huge page in CMA has to go before a long-term pin can stand. `migrate_pages()` gets a list of pages and goes
# over it up to ten times; each time is a *pass*, counted from 0. For a huge page it asks for a free one
# elsewhere: 2 MiB in one piece, outside CMA; any amount of scattered small pages is of no use. If there is one,
# the page moves *whole*. If not, it is *split* and its 512 pieces move one by one. On either way the kernel must
# know that nobody else is looking at the page: it compares the reference count with the number it can explain.
# What has moved leaves the list; what is still on it at the end has failed.
#
# So there are four situations: a free huge page or none, a stranger with a reference (who never lets go) or
# nobody. Say for each what `thp_migration_fail` counts at the end, in the kernel before the patch (`base`). It goes
# up when a huge page could not be moved *as it is*.

# %%
guess = Prediction(
    "thp_migration_fail at the end, in base?",
    {
        "free huge page, nobody": (0, 1, 2, 10),
        "free huge page, stranger": (0, 1, 2, 10),
        "none free, nobody": (0, 1, 2, 10),
        "none free, stranger": (0, 1, 2, 10),
    },
)

# %% [markdown]
# A situation has knobs, the same in `vfio_map(...)` and in the widget below:
#
# | knob | values, the usual one first | meaning |
# | --- | --- | --- |
# | `targets` | none, available, … | is a huge page free elsewhere? |
# | `stranger` | 1; 0, 2, … | which huge page the stranger refers to, the first or another; 0: no stranger |
# | `taken` | start; 0.site2, … | when it takes its reference (`0.site2`: late in pass 0; more below) |
# | `released` | never; 1, 2, … 9 | before which pass it drops the reference |
# | `reason` | longterm_pin, … | for whom pages are migrated; this lesson is about a long-term pin at first |
# | `trouble` | none, truncated, nomem, writeback | what else is the matter with the first huge page (lesson 00) |
# | `thps`, `passes` | 1; 10 | how many huge pages and how many passes there are |

# %% tags=["check"]
usual = {"targets": "none", "stranger": 1, "taken": "start", "released": "never"}
usual |= {"reason": "longterm_pin", "trouble": "none", "thps": 1, "passes": 10}
assert usual.items() <= vfio_map().knobs.items()

# %% tags=["nbval-ignore-output"]
knobs = ("targets", "stranger", "taken", "released", "reason")
console(vfio_map(), knobs=knobs, unlock=guess)

# %% [markdown]
# Without a widget, store your four numbers here; the cells below show two of the charts. With one, turn `targets`
# and `stranger`. The chart shows which way the run goes: bold where it passed, with the number of times. (*Check* and
# *Freeze* are the two places where a split can be refused. They come further down.)

# %% tags=["student"]
four = {
    "free huge page, nobody": None,
    "free huge page, stranger": None,
    "none free, nobody": None,
    "none free, stranger": None,
}
guess.store(**four)

# %% tags=["solution"]
four = {
    "free huge page, nobody": 0,
    "free huge page, stranger": 1,
    "none free, nobody": 1,
    "none free, stranger": 1,
}
guess.store(**four)

# %%
four_runs = {
    "free huge page, nobody": vfio_map(targets="available", stranger=0).run(),
    "free huge page, stranger": vfio_map(targets="available", stranger=1).run(),
    "none free, nobody": vfio_map(targets="none", stranger=0).run(),
    "none free, stranger": vfio_map(targets="none", stranger=1).run(),
}
happened = {name: counters_of(run)["thp_migration_fail"] for name, run in four_runs.items()}
guess.show_against(happened)
show_table(counters_of_runs(four_runs), after=guess)

# %% tags=["solution", "check"]
assert list(happened.values()) == [0, 1, 1, 1]
busy = four_runs["free huge page, stranger"]
assert [event.op.kind.name for event in busy.events].count("folio_expected_refs") == 10
assert counters_of(busy)["thp_split_page_failed"] == 0
numa = vfio_map(reason="numa_misplaced").run()
assert counters_of(numa) == {"thp_migration_fail": 1, "thp_split_page_failed": 0}

# %%
show_flow(four_runs["free huge page, stranger"], after=guess)

# %%
show_flow(four_runs["none free, stranger"], after=guess)

# %% [markdown]
# <details><summary><b>Two of the four are worth a second look.</b> Open when you have predicted.</summary>
#
# - *Free huge page, stranger:* the move fails in each of the ten passes, it is counted once, after the last, and
#   **no split is tried**. In Linux 6.1 only a missing destination leads to a split. (And not for every reason: NUMA balancing,
#   which moves a page nearer to the processor that uses it, gives up instead: `numa_misplaced`.)
# - *None free, nobody:* the page could not be moved as it is, so a split that succeeds still counts as one failed
#   migration.
#
# Did the last column surprise you? We come back to it.
#
# </details>

# %% [markdown]
# **Task.** Write a situation whose run gives the reported pair, `thp_migration_fail` 1 and
# `thp_split_page_failed` 1, and a pin that fails: *without* a stranger.

# %% tags=["student"]
mine = None  # for instance vfio_map("base", targets="available", stranger=1)
check("04.pair", mine)

# %% tags=["solution"]
mine = vfio_map("base", stranger=0, trouble="truncated")  # or "nomem"
check("04.pair", mine)

# %% [markdown]
# ## One stray reference is enough
#
# Now with the stranger. The ledger names who has each reference; the equation underneath is the one the
# kernel checks at that moment. Switch to `v2`, which leaves such a page on the list for the next pass; what else the
# patch changes comes further down.

# %%
refused = Prediction(
    "Base: how many times is the split tried? And v2, with the reference there in every pass?",
    {"base tries": (1, 2, 10, 11), "v2 tries": (1, 2, 10, 11)},
)

# %% tags=["nbval-ignore-output"]
stepper(vfio_map(), unlock=refused)

# %% [markdown]
# Without a widget, store your two numbers here.

# %% tags=["student"]
tries = {"base tries": None, "v2 tries": None}
refused.store(**tries)

# %% tags=["solution"]
tries = {"base tries": 1, "v2 tries": 10}
refused.store(**tries)

# %%
base, v2 = vfio_map("base").run(), vfio_map("v2").run()
splits = "thp_split_page_failed"
tried = {"base tries": counters_of(base)[splits], "v2 tries": counters_of(v2)[splits]}
refused.show_against(tried)

# %%
show_state(base, base.find("can_split_folio"), after=refused)

# %% tags=["solution", "check"]
assert tried == {"base tries": 1, "v2 tries": 10}

# %% [markdown]
# This step is the *reference check*: 515 references where 514 are expected. At the end of the run the count is 514
# again, and that is another sum: the isolation is over, so it is 512 + 1 mapping + the stranger.

# %% tags=["check"]
at_check = base.state(base.find("can_split_folio")).world
assert [page.refcount for page in at_check.folios.values()] == [515]
(page,) = base.last.world.folios.values()
assert page.refcount == page.cache_refs + page.mapcount + 1 == 512 + 1 + 1 == 514

# %% [markdown]
# ## A split can be refused in two places
#
# The reference check (`can_split_folio()`, *Check* in the flow chart) only reads the count; nothing stops
# it from changing afterwards. So after removing the mappings the kernel *freezes* the count (*Freeze*): it
# sets it to 0, but only if it is exactly what it should be. A reference that arrives between the two is
# caught there. (From the look to the end the kernel holds the page's own *lock*. Whoever wants to move, cut or
# truncate the page needs it; who only takes a reference does not.)
#
# After a refusal the kernel maps a page again only if it is anonymous (`remap_page()`, Linux 6.1). A page of a file it
# leaves to the next fault, which finds it in the page cache. So how many mappings does this page, of the guest's memfd,
# have after each kind of refusal? Nobody touches it meanwhile. (The kernel calls this number *mapcount*.)

# %% tags=["student"]
mapcount = {"reference check": None, "freeze": None}
check("04.second", mapcount)

# %% tags=["solution"]
mapcount = {"reference check": 1, "freeze": 0}
check("04.second", mapcount)

# %% [markdown]
# In the next run the stranger comes late: `"0.site2"` is the moment before the freeze in pass 0. The picture shows the
# end.

# %%
at_freeze = vfio_map(taken="0.site2").run()
show_state(at_freeze, after="04.second")

# %% tags=["solution", "check"]
assert [page.mapcount for page in at_freeze.last.world.folios.values()] == [0]

# %% [markdown]
# **Task.** Put the steps of a split that succeeds into order. Two of the eight don't belong.
#
# | step | what happens |
# | --- | --- |
# | `cut` | the one page is cut into 512 |
# | `freeze` | all references are claimed at once |
# | `lock`, `unlock` | the page's own lock is taken, and given back |
# | `look` | the reference check |
# | `pin` | a long-term pin is taken |
# | `unmap` | the mappings are removed |
# | `wait` | the kernel sleeps until the stranger has let go |

# %% tags=["student"]
order = [None, None, None, None, None, None]  # six strings, for instance "cut"
check("04.order", order)

# %% tags=["solution"]
order = ["lock", "look", "unmap", "freeze", "cut", "unlock"]
check("04.order", order)

# %% [markdown]
# ## The patch: look again, at once
#
# The patch says: if the split was refused *because of references*, and if this is a long-term pin, leave
# the huge page on the list and try in the next pass. No pause is made between passes, and no pass waits for a reference
# to go. Time passes all the same: in the search for a free huge page, at the page's lock, and in `cond_resched()`, which
# lets others run before each page. If there are other pages on the list, copying them takes time, too, and so does
# waiting for their writeback. To be told apart, such a refusal needs a code of its own:
# `-EAGAIN` ("not now, try again") instead of `-EBUSY` ("can't be done now", for one of several reasons). A
# missing destination is `-ENOMEM` ("no memory").
#
# Here is the patch in the model. A version is a handful of small functions, so a patch is a diff. (`reason`:
# why `migrate_pages()` was called; `ret`: what the split returned.)

# %%
show_diff("base", "2/2-only")

# %% [markdown]
# `2/2-only` is `base` and the patch alone. It never existed: the patch is the second of a series of two (2/2), and its
# *companion* (1/2) comes further down.
#
# **Task.** A refused split is counted as a failure at once, before it is decided whether to try again. After the last
# pass, what still waits to be tried again is counted once more. And a page that is split counts too, as you saw
# (*none free, nobody*). The stranger leaves in time, or never: what does `thp_migration_fail` say at the end, in `v2`?

# %% tags=["student"]
rescues = {
    "no stranger": None,
    "before pass 1": None,
    "before pass 3": None,
    "before pass 9": None,
    "never": None,
}
check("04.rescues", rescues)

# %% tags=["solution"]
rescues = {
    "no stranger": 1,
    "before pass 1": 2,
    "before pass 3": 4,
    "before pass 9": 10,
    "never": 11,
}
check("04.rescues", rescues)

# %%
# 0: no stranger; 10, the number of passes: it never leaves
table = retry_table(("base", "v2", "v3fix"), released=(0, 1, 2, 3, 9, 10))
show_table(table["thp_migration_fail"], after="04.rescues")

# %% [markdown]
# <details><summary><b>Ten refusals, eleven failures.</b> Open when you have answered.</summary>
#
# One page is refused ten times, and `v2` counts eleven. With a free huge page (above) ten failing passes were counted
# once: a page that is merely busy is not counted while it is tried again. The patch as merged for 6.2, `v3`, has the
# flaw too; `v3fix` has the repair of April 2023, which takes a count back whenever it tries again. (`migrate_pages()`
# returns 0, a negative error code, or a positive *count* of what failed: +11 is not an error code.)
#
# </details>
#
# And the pin? Take the first case: nobody in the way, no huge page free, the split succeeds, all 512 pieces move.
# In `base` the pin failed all the same: it is the third of the four runs further up. Does it succeed in `2/2-only`, which
# tries again, and in `v2`?

# %%
easy = Prediction(
    "Nobody is in the way. Does the pin succeed?",
    {"2/2-only": ("yes", "no"), "v2": ("yes", "no")},
)

# %% tags=["student"]
easy.store(**{"2/2-only": None, "v2": None})

# %% tags=["solution"]
easy.store(**{"2/2-only": "no", "v2": "yes"})

# %%
returns = retry_table(("base", "2/2-only", "v2"), released=(0, 3, 10))
first_row = returns["pin returns"].iloc[0]
easy.show_against({name: "yes" if end == "pinned" else "no" for name, end in first_row.items()})

# %%
show_table(returns[["pin returns"]], after=easy)

# %%
show_table(returns[["migrate_pages returns"]], after=easy)

# %% [markdown]
# <details><summary><b>What the first rows say.</b> Open when you have predicted.</summary>
#
# In `base` and in `2/2-only` the pin fails *although everything moved*. `migrate_pages()` counted the split huge page as
# one failure and returned 1; the pin takes anything but 0 for an error. That is why the series has two patches: one tries
# again, its companion mends the return value. Trying again alone is of no use to the pin.
#
# In `base`, then, *every* pin that needs a split fails. Why did the failure not come each time? A split is needed only
# if no huge page is free outside CMA. As long as one can be had, or compaction can make one, the page moves whole and
# the pin succeeds. And a call that fails leaves the pieces outside CMA, so that the same call can succeed when it is
# made again.
#
# </details>
#
# The companion in `v2` (`rc`: what `migrate_pages()` is about to return; `nr_thp_split`: huge pages that were
# split; `list_empty`: nothing is left on the list):

# %%
show_diff("2/2-only", "v2")

# %% tags=["check"]
rescued = counters_of(vfio_map("v2", released=3).run())
assert rescued == {"thp_migration_fail": 4, "thp_split_page_failed": 3}
assert counters_of(vfio_map("v3").run()) == counters_of(v2)
assert vfio_map("v2", released=9).run().results["pin"] == 512
assert vfio_map("base", stranger=0).run().results["pin"] == -12
assert vfio_map("6.1.0", stranger=0).run().results["pin"] == 512
assert vfio_map("2/2-only", stranger=0).run().results["pin"] == -12

# %% [markdown]
# ## The stranger becomes `drop_caches`
#
# Who is the stranger? *Probably* `drop_caches`, says the author: somebody writes to `/proc/sys/vm/drop_caches`, and the
# kernel walks over the pages of every file to free what nobody needs. A guest's memory is dirty or mapped, so it
# stays, but the walk visits it all the same. It takes a *batch* of up to 15 pages at a time
# (`invalidate_mapping_pages()` in `mm/truncate.c`, Linux 6.1):
#
# 1. `find_lock_entries()` takes a reference on each page of the batch, and its lock;
# 2. page by page: can it be freed? If not, the lock is given back (`folio_unlock()`);
# 3. when the whole batch is through, the references are dropped (`folio_batch_release()`; in the model `folio_put()`).
#
# Now a pin comes, in `base`. What becomes of it, if `drop_caches` is held up at just that moment?

# %%
meeting = Prediction(
    "A pin comes (base), and drop_caches stands still. What becomes of the pin?",
    {
        "while drop_caches has the lock": ("it waits", "it fails", "it goes on"),
        "later, with only its reference left": ("it waits", "it fails", "it goes on"),
    },
)

# %% tags=["nbval-ignore-output"]
stepper(pin_versus(), versions=("base", "v2"), unlock=meeting, happened=met)

# %% [markdown]
# In this run `drop_caches` is held up right after `folio_unlock()`, and goes on before pass 1. Without a widget, store
# your two answers here.

# %% tags=["student"]
fates = {"while drop_caches has the lock": None, "later, with only its reference left": None}
meeting.store(**fates)

# %% tags=["solution"]
fates = {
    "while drop_caches has the lock": "it waits",
    "later, with only its reference left": "it fails",
}
meeting.store(**fates)

# %%
meeting.show_against(met("base"))
held_up = pin_versus("base").run()
show_state(held_up, held_up.find("can_split_folio"), after=meeting)

# %%
show_windows(drop_caches_only(folios=4).run(), after=meeting)

# %% [markdown]
# <details><summary><b>Two windows, and only one of them hurts.</b> Open when you have predicted.</summary>
#
# The second picture is one walk over four huge pages. While a page is locked, the split of Linux 6.1 sleeps until the lock
# is free: the pin waits. (Later kernels make asynchronous passes first. In 6.12 these only try the lock.) After that `drop_caches` is done with the page and keeps its reference, until the last page of the batch is
# through. In this second window the page is unlocked and has one reference too many: the reference check refuses.
#
# </details>
#
# **Task.** Here is the walk over a single huge page, T1. A pin comes in the second window: after how many steps of
# `drop_caches`? There is more than one right answer. (Steps 9 to 12 put the page where it will be reclaimed sooner.
# For that it goes through one more batch, which has a reference of its own for as long.)

# %%
show_trace(drop_caches_only(folios=1).run())

# %% tags=["student"]
steps = None  # a number
check("04.window", steps)

# %% tags=["solution"]
steps = 8
check("04.window", steps)

# %%
show_table(counters_by_version(pin_versus(), ("base", "v2")), after="04.window")

# %% [markdown]
# The table is the run above, in which `drop_caches` goes on before pass 1. The patch gets past this window
# by trying again: `base` fails with the reported pair, and `v2` is refused once.
#
# ## What the patch does not reach
#
# When the huge page is split, its pieces get a round of their own, and that round has *one* pass, in every version.
# `drop_caches` walks over the pieces as over any other pages.
#
# **Task.** Imagine every order in which the steps of a pin and of one `drop_caches` can follow each other. Which of
# these ends can be reached, in `base` and in `v2`? *Not split*: a huge page was left, its split refused; *piece missed*:
# all was split, and a piece was locked or referenced in its one pass; *mapped*: the pin succeeds. Write True for what
# can be reached, and False for what can't.

# %% tags=["student"]
ends = {
    ("base", "not split"): None,
    ("base", "piece missed"): None,
    ("base", "mapped"): None,
    ("v2", "not split"): None,
    ("v2", "piece missed"): None,
    ("v2", "mapped"): None,
}
check("04.left", ends)

# %% tags=["solution"]
ends = {
    ("base", "not split"): True,
    ("base", "piece missed"): True,
    ("base", "mapped"): False,
    ("v2", "not split"): True,
    ("v2", "piece missed"): True,
    ("v2", "mapped"): True,
}
check("04.left", ends)

# %%
show_table(reached(pin_versus(**SMALL), ("base", "v2")), after="04.left")

# %% [markdown]
# <details><summary><b>What is left.</b> Open when you have answered.</summary>
#
# The table comes from a search of every order, with a huge page of two pieces and two passes; each end with the
# length of a shortest schedule. The end that was not asked about, *although everything moved*, is the return value that
# you met above: it is why `base` never succeeds, and what the companion mends. Of the other two failures the patch takes
# none away: `drop_caches` can still be held up for longer than the passes last, and the same shortest way leads to a
# missed piece in both versions. How *likely* each end is, is another question; lesson 05 asks it, and lesson 08 what a
# real kernel did.
#
# </details>

# %% tags=["check"]
piece_held = vfio_map("v2", taken="0.move_freeze").run()
assert piece_held.last.world.vmstat["pgmigrate_success"] == 511
assert piece_held.results["pin"] == -12
assert SMALL == {"order": 1, "passes": 2}
assert counters_of(held_up) == dict.fromkeys(counters_of(base), 1)
walk = drop_caches_only(folios=20).run()
worlds = [walk.state(position).world for position in range(len(walk))]
assert max(sum(bool(f.locked_by) for f in world.folios.values()) for world in worlds) == 15
found = reached(pin_versus(**SMALL), ("base", "6.1.0", "2/2-only", "v2"))
assert found.loc["failed: a piece missed its one pass"].nunique() == 1
companion = list(found.loc["failed although everything moved"] == "never")
assert companion == list(found.loc["mapped"] != "never") == [False, True, False, True]

# %% [markdown]
# ## Version 1 told everybody
#
# Version 1 was posted on 20 October 2022, version 2 a day later. In the patch itself they differ in one line *of the model*.
# (The companion changed more: it moved from `mm/gup.c` to `mm/migrate.c`. Lesson 06 has both.)
# `migrate_pages()` is about to return `-ENOMEM`, because no destination could be had (`rc`). It tries to split, and
# gets an answer (`ret`):

# %%
show_diff("v1", "v2", "rc_after_split")

# %% [markdown]
# Pages are migrated for other reasons than a pin too. What becomes of one huge page without a destination, after the first
# try to split it? A cell with ≠ differs from `base`. Split result *0*: it succeeded; *refcount failure*: refused because
# of a reference; *other errno*: a refusal that is not about references, here a truncated page. Reason *other*: here
# `contig_range`, somebody wants this memory in one piece. *Exit*: `migrate_pages()` ends at once and returns this; *goes
# on*: to the next page of the list.

# %%
show_table(decision_table(("base", "v1", "v2")))

# %% [markdown]
# In `v1` the answer of the split reaches callers who never asked for another try. Which of them notice, and what the
# reviewers said, is the subject of lesson 06.
#
# ## Does a real kernel do this?
#
# A kernel with base, v1 and v2 in one binary was run in an emulated machine: one huge page in
# CMA, one reference that is never dropped, no free huge page. Here is its trace beside the model's run,
# line by line. Look at lines 5 (515 references where 514 were expected), 7 (what the split said), 11 (what
# `migrate_pages()` returned; reason 7 is `longterm_pin`) and 22 (the counter). The others show that nothing
# differs; "unit 0" is our huge page A. (The measured kernel has the merged companion already, as Linux 6.1 was released,
# so the model's `6.1.0` stands beside it: `base` and that companion. That makes no difference here.)

# %%
real = real_trace("S3_held_base_retfix1.txt")
rows = align(real, vfio_map("6.1.0").run())
show_table(alignment(rows).iloc[[4, 6, 10, 21]])
show_table(alignment(rows), folded=f"All {len(rows)} lines")

# %% tags=["check"]
assert all(row.agrees for row in rows)
assert rows[4].measured == 515 and "514 expected" in rows[4].what
assert rows[6].measured == "-EBUSY" and "reason 7" in rows[10].measured
assert rows[21].what == "thp_split_page_failed" and "longterm_pin" in rows[9].measured

# %% [markdown]
# And the counters, for each version, measured and from the model (with the merged companion again, so `6.1.0`, `v1`
# and `v3` stand for base, v1 and v2).

# %%
chart = measured_counters()
show_chart(chart)

# %% tags=["check"]
for version, pair in {"base": (1, 1), "v1": (11, 10), "v2": (11, 10)}.items():
    for column in ("measured", "model"):
        assert chart.pair(version, column) == pair

# %% [markdown]
# ## What has not been shown
#
# - The author never proved that `drop_caches` held the reference, nor that it was a reference at all: in
#   lesson 00 two other suspects gave the same counters.
# - He was asked whether the patch cures the failure; his answer was that it is hard to reproduce and would
#   be tested. No success rate was published.
# - The measured kernels ran in an emulated machine with a reference held on purpose. They show that the
#   *mechanism* is as described, not how often it strikes.
#
# ## The six statements of lesson 00, again
#
# True or false? What you said then is in lesson 00, in the cell with `pretest`; open it beside this one and compare.
#
# | name | statement |
# | --- | --- |
# | `users` | A reference count of 514 means that 514 users hold the page. |
# | `pinned` | If a huge page can't be split, somebody has pinned it. |
# | `free` | If more than 2 MiB are free, a huge page can be had. |
# | `ten` | Trying ten times makes success ten times as likely. |
# | `errno` | It can matter to a caller whether an error is -EBUSY or -EAGAIN. |
# | `counter` | A failure counter can go up by more than one for a single huge page. |

# %% tags=["student"]
posttest = dict(users=None, pinned=None, free=None, ten=None, errno=None, counter=None)
check("04.posttest", posttest)

# %% tags=["solution"]
posttest = dict(users=False, pinned=False, free=False)
posttest |= dict(ten=False, errno=True, counter=True)
check("04.posttest", posttest)

# %% [markdown]
# ## Extra: how long is "at once"?
#
# The patch makes no pause. So how long do ten attempts last? So far a step had no length; now each gets one: a unit of
# time for a simple step, more for what is done page by page, most for an allocation that fails, above all if the
# kernel *compacts* memory before it gives up (moves small pages together, to make room for a huge one). These lengths
# are an assumption, made for teaching. A reference is dropped at some time after the pin began.
#
# In the chart below, *injected* means that the search for a huge page is made to fail at once; *fragmented*, that memory
# really is so, and the kernel searches and compacts in vain.
#
# **Task.** Memory is fragmented, and each attempt compacts it in vain. In `v2`, may the reference go *earlier*, at the
# *same* time or *later* than without compaction, for the pin to succeed?

# %% tags=["student"]
goes = None  # "earlier", "same" or "later"
check("04.longer", goes)

# %% tags=["solution"]
goes = "later"
check("04.longer", goes)

# %% [markdown]
# Of the chart read two things: where each *line* (the model) crosses 50 %, and how far apart there the solid line and
# the dashed one are. The points are measured pins. In the table, a kind of pin *turns at* the release time that best
# separates those that succeed from those that fail. (The measured base has the companion again: its pins succeed if the
# reference goes early enough.)

# %%
show_chart(timed_release(), after="04.longer")

# %% [markdown]
# <details><summary><b>What the chart says.</b> Open when you have answered.</summary>
#
# What the patch gains is the time that its attempts happen to take. One number was fitted to the measured pins, and
# only to those with an injected failure: how many microseconds a unit is. The points rise more slowly than the lines, and
# `v1` and `v2`, which do the same here, turn at different times: times in an emulated machine are noisy.
#
# </details>

# %% [markdown]
# ## What to keep
#
# - In Linux 6.1 only a missing destination leads to a split, and not for every reason; a busy page alone never does.
# - A split is refused at the reference check (the page stays as it was) or at the freeze (a page of a file is
#   left unmapped).
# - In `base` a pin that needs a split fails even if nobody is in the way: by the return value. The companion mends
#   that; without it the patch is of no use to the pin. A split is needed only if no huge page is free outside CMA.
# - The patch tries in each of the ten passes, without a pause, for long-term pins only. A reference that stays
#   longer than that makes the pin fail all the same.
# - `drop_caches` fails a pin while a page is unlocked and still referenced. Once the page is split, its pieces have one
#   pass in every version.
# - Error codes are promises: v1 changed one for callers who had asked for nothing.
#
# ## What this model leaves out
#
# | left out | consequence |
# | --- | --- |
# | the allocator, compaction and reclaim | whether a huge page is free is set by a knob (`targets="zone"` asks a real zone: lessons 02, 03) |
# | how long steps take, except in the last chart | in a kernel the search for a huge page can take long |
# | other files that `drop_caches` walks over | they make its second window longer |
# | the pages of a huge page are pinned one by one | the model pins them in one step |
# | the lock of the destination, memory cgroups, NUMA | nobody contends for them in these runs |
#
# ## Words
#
# | word | meaning |
# | --- | --- |
# | pass, round | one time over the list of pages; up to ten of them are a round. The pieces have a round of one |
# | destination | the free page that a page moves to; for a huge page 2 MiB in one piece |
# | isolation | the page is off its LRU list, and whoever took it off has a reference |
# | reference check | `can_split_folio()` reads the count, and can refuse |
# | freeze | `folio_ref_freeze()` sets the count to 0 if it is as expected, and can refuse |
# | errno | an error as a negative number: -EAGAIN, -EBUSY, -ENOMEM |
# | companion | the smaller patch of the two: it mends what `migrate_pages()` returns |
# | batch | up to 15 pages (Linux 6.1) that `drop_caches` locks and looks at together |
# | versions | `base`: Linux 6.1-rc1. `v1`, `v2`, `v3`: the three postings, the last as merged (1/2 for 6.1, 2/2 for 6.2). `v3fix`: `v3` with its counter repaired; no release is exactly that (lesson 07). `6.1.0`: `base` with v3's companion alone. `2/2-only`: for teaching |
#
# ## Further reading
#
# In the source of Linux 6.1: `mm/migrate.c` (`migrate_pages()`, `try_split_thp()`), `mm/huge_memory.c`
# (`split_huge_page_to_list()`, `can_split_folio()`), `mm/gup.c` (`check_and_migrate_movable_pages()` and, where it calls
# `migrate_pages()`, `migrate_longterm_unpinnable_pages()`), `mm/truncate.c` (`invalidate_mapping_pages()`) and
# `fs/drop_caches.c`. The measurements are in `data/kernel-runs/`, S3 and S4.
#
# **Next:** lesson 05, *You are the scheduler*: how many orders of the steps fail, and how likely is that?
#
# ## More to try
#
# 1. Four huge pages, the first one held: how many leave CMA in `base` and in `v2`, and why does the pin fail
#    in both? The cell below counts; explain it in two sentences.
# 2. Turn `passes` down to 3 (`vfio_map("v2", passes=3, released=...)`). Before which pass must the stranger
#    leave at the latest?
# 3. A huge page becomes free only after the first refusal. The second cell below plays that in `v2`: the whole
#    page moves, and the pin fails all the same. Why? (In a schedule `stranger` is one step of the stranger,
#    `pin*7` seven steps of the pin; a word after a colon says how a step ends that could end in several
#    ways: `pin:fail`, it finds nothing; `pin:ok`, it works.)
# 4. `timed_hold("v2", hold=1000)` is one run with the clock: a reference that lasts 1,000 units. Up to which `hold` does
#    `v2` succeed? And with `allocation="fragmented"`? (`timed_hold("v2", hold=1000).run().results` has the number of
#    pages pinned, or -12, which is -ENOMEM.)

# %%
show_table(counters_by_version(vfio_map(thps=4), ("base", "v2")), after=refused)

# %%
moves = "stranger pin*7 pin:fail pin*4 pin:released pin:ok pin*3 stranger pin pin:ok pin*4 pin:ok"
show_flow(vfio_map("v2", targets="either", released=1).replay(f"{moves} pin*10"), after=refused)

# %% [markdown] tags=["solution"]
# **Model answers.**
#
# 1. `base` leaves at once after the first refusal, so none of the four moves. `v2` keeps the held page on the
#    list, splits the other three and moves their 1,536 pieces. The pin fails in both, because a page that is
#    left on the list is a page that may not be pinned. (`thp_migration_fail` is 14: 11 for the held page, and
#    1 for each of the three that were split.)
# 2. Before pass 2: passes are counted from 0, and the last chance is the third.
# 3. Refused once, then a free huge page is found. `migrate_pages()` returns 1, because the first refusal stays
#    counted, and `v2` returns 0 only if something was split. `v3` dropped that condition; the next cell
#    shows what that changes.
# 4. Up to 1,070 units, and up to 1,470 with compaction: the last look is at 1,071 and at 1,471.

# %% tags=["solution"]
for version, rest in {"v2": "pin*10", "v3": "pin*12"}.items():
    run = vfio_map(version, targets="either", released=1).replay(f"{moves} {rest}")
    print(version, "moved", run.last.world.vmstat["pgmigrate_success"], "pin", run.results["pin"])

# %% tags=["solution", "check"]
assert vfio_map("v2", passes=3, released=2).run().results["pin"] == 512
assert vfio_map("v2", passes=3, released=3).run().results["pin"] == -12
four_pages = vfio_map("v2", thps=4).run().last.world.vmstat
assert four_pages["pgmigrate_success"] == 1536 and four_pages["thp_split_page"] == 3
assert four_pages["thp_migration_fail"] == 14 == tried["v2 tries"] + 1 + 3

for version, end in {"base": -12, "6.1.0": 2}.items():
    assert timed_hold(version, hold=100, order=1).run().results["pin"] == end
for hold, allocation in ((1070, "injected"), (1470, "fragmented")):
    knobs = dict(allocation=allocation, order=1)
    assert timed_hold("v2", hold=hold, **knobs).run().results["pin"] == 2
    assert timed_hold("v2", hold=hold + 1, **knobs).run().results["pin"] == -12
