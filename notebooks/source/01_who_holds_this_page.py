# %% [markdown]
# # 01 · Who holds this page?
#
# *45 minutes. You have done lesson 00, or know what a huge page, CMA and a long-term pin are.*
#
# After this lesson you can
#
# - name who has each reference on a page, and add them up;
# - work out the count that the kernel expects before it moves or splits a page;
# - tell a mapping from a reference, and a reference for a moment from one that stays;
# - find in a list of steps who forgot to let go.
#
# | part | minutes |
# | --- | --- |
# | Recall; One number, and no names | 5 |
# | The life of one huge page | 10 |
# | Expected and actual; worked example | 13 |
# | The same count; mapping or reference; for a moment or for good | 9 |
# | Somebody forgot to let go; write `expected_refs()` | 8 |

# %%
from mmsim import Prediction, bench, check, drawn_pages, folio_on, hint, leak_hunt, leak_table
from mmsim import moments, outcomes, page_life, ready, refs_added, same_count, show_ledger
from mmsim import show_state, show_table, stepper, workbench, worked

ready()

# %% [markdown]
# ## Recall
#
# Three questions about lesson 00, from memory. One letter each.
#
# - `call`: what failed? **a** `mmap()` with -ENOMEM, **b** `VFIO_IOMMU_MAP_DMA` with -ENOMEM,
#   **c** `VFIO_IOMMU_MAP_DMA` with -EBUSY.
# - `leave`: why must a page leave CMA before a long-term pin? **a** CMA is too slow for a device, **b** a
#   device can't reach it, **c** it is only lent, and a pinned page can't be moved away.
# - `out`: which suspect did the two counters rule out? **a** `reference`, **b** `truncated`, **c** `nomem`,
#   **d** `writeback`.

# %% tags=["student"]
recall = {"call": None, "leave": None, "out": None}
check("01.recall", recall)

# %% tags=["solution"]
recall = {"call": "b", "leave": "c", "out": "d"}
check("01.recall", recall)

# %% [markdown]
# ## One number, and no names
#
# To move a page, the kernel must be sure that nobody is using it just then. It does not have a list of
# users. It has one number for each page, the **reference count**: whoever starts to use the page adds one,
# whoever is done takes one away, and when the count gets to 0 the page is freed. In the model of lesson 00 a
# huge page could not be split because a *stranger* had one reference. The number does not say who.
#
# The kernel calls a page, or a huge page, that is handled in one piece a *folio*. A huge page is 512 small
# pages of 4 KiB, but it is one folio and has one count. (This lesson says *page* where the size does not
# matter.)
#
# So how does the kernel know that a count is too high? It works out what the count *should* be. That is what
# you will do in this lesson.
#
# ## The life of one huge page
#
# A guest touches its memory, a memfd, for the first time. The kernel allocates a huge page (the
# pictures call it A); its count is 1, held by the code that asked for it. Then five things happen:
#
# 1. the page is put *in the page cache*: the file remembers "these 2 MiB of me are there";
# 2. it is *mapped*: one entry in the guest's page table (a PMD, which stands for all 2 MiB) points to it;
# 3. it is *mapped again*: a second process, one that plays a device for the guest (its *backend*), maps the
#    same memfd;
# 4. it is *isolated*: a caller who wants to move it takes it off its LRU list, so that nobody else moves it
#    meanwhile (LRU lists order pages by how recently they were used);
# 5. *drop_caches looks* at it: somebody has asked the kernel to drop the page cache, and the walk over all
#    files has come to this page.
#
# By how much does the count grow with each of the five?

# %%
guess = Prediction(
    "After the allocation the count is 1. How much does each of these add to the count?",
    {
        "in the page cache": (0, 1, 2, 511, 512),
        "mapped": (0, 1, 2, 511, 512),
        "mapped again": (0, 1, 2, 511, 512),
        "isolated": (0, 1, 2, 511, 512),
        "drop_caches looks": (0, 1, 2, 511, 512),
    },
)

# %% tags=["nbval-ignore-output"]
stepper(page_life(), unlock=guess, versions=("base",), happened=refs_added)

# %% [markdown]
# Drag the slider. The *ledger* on the left has a row for everybody who refers to the page; the code on the
# right is the model's own, and each marked line, a `yield`, is one indivisible step (`pfn` is the number of a page
# in memory). Under the ledger stands a comparison that you will meet further down. (The hourglass: nobody has
# made it yet; this is what it would find.)
#
# No widget to be seen? Write your five numbers here instead; the cells below show the same run.

# %% tags=["student"]
counts = {
    "in the page cache": None,
    "mapped": None,
    "mapped again": None,
    "isolated": None,
    "drop_caches looks": None,
}
guess.store(**counts)

# %% tags=["solution"]
counts = {
    "in the page cache": 512,
    "mapped": 0,
    "mapped again": 1,
    "isolated": 1,
    "drop_caches looks": 1,
}
guess.store(**counts)

# %%
life = page_life().run()
guess.show_against(refs_added(life))

# %%
show_table(moments(life), after=guess)

# %%
show_state(life, life.find("folio_get"), after=guess)

# %% tags=["solution", "check"]
assert list(refs_added(life).values()) == [512, 0, 1, 1, 1]
assert life.state(1).world.folio(next(iter(life.last.world.folios))).refcount == 1
assert folio_on(life).refcount == 515 and folio_on(life).cache_refs == 512

# %% [markdown]
# **Explain.** Once your prediction is stored, the table has every step that changes the page. Why does
# *mapped* add nothing? Write one sentence for yourself, then open the answer.
#
# <details><summary><b>Two of the five surprise most people.</b> Open when you have your sentence.</summary>
#
# - **The page cache takes 512**, one for each small page inside, although it keeps a single entry.
# - **The first mapping takes no new one.** The fault that found the page already had a reference, the one from the
#   allocation. It hands that reference over to the mapping instead of dropping it and taking another. So now the
#   mapping has one and the allocation none. (If nobody maps the page, that reference is dropped.)
#
# Whoever looks at the page in passing leaves no trace: `drop_caches` goes again. It did not drop the page, because
# a page that is mapped is in use. So the count is what it was; but for a moment it was one too high. Being *on* an
# LRU list holds no reference.
#
# </details>
#
# ## Expected and actual
#
# The caller who has isolated a page knows three kinds of holders: the page cache, the mappings, and itself.
#
# > **expected = pages in the cache + mappings + 1**
#
# The first term is 512 for a huge page of a file, 1 for a single page of a file, and 0 for a page of no file. Every
# mapping counts 1, the first one too: the reference it was handed is its own now. The 1 at the end is the caller's.
#
# If the actual count is the same, nobody else is there. If it is higher, somebody is, and the kernel leaves
# the page alone. `can_split_folio()` makes this comparison for a huge page while it is still mapped. (It
# subtracts instead of adding, as you saw under the ledger: `mapcount == refcount - extra_pins - 1`, which is the
# same; the bench below adds. `mapcount` is the number of mappings; `extra_pins` is its name for the references of the
# page cache, and has nothing to do with a pin.)
#
# Take a huge page of a memfd, mapped once and isolated: 512 + 1 + 1 = 514 on both sides. Now one thing is
# different. Are the two sides still equal?
#
# - *second mapping*: one more process maps it;
# - *no file*: it is ordinary memory of the guest instead, which belongs to no file (*anonymous* memory);
# - *one more holder*: somebody has just looked it up and still has a reference;
# - *a pin*: a direct I/O (a transfer between disk and user memory that goes around the page cache) has
#   pinned one of its small pages.

# %%
sides = Prediction(
    "One thing is different. Are the two sides still equal?",
    dict.fromkeys(
        ("second mapping", "no file", "one more holder", "a pin"), ("equal", "not equal")
    ),
)

# %% tags=["nbval-ignore-output"]
bench(workbench(), unlock=sides)

# %% [markdown]
# On this bench you decide who refers to the page; the model carries the steps out and counts.
#
# | knob | values | meaning |
# | --- | --- | --- |
# | `order` | 9, 0 | a huge page (2⁹ = 512 small ones), or a single page |
# | `cached` | yes, no | memory of a memfd, or of no file (which is freed if nobody maps it) |
# | `mappings` | 0 to 4 | processes that map it: the guest, its backend, and two more (*monitor*, *backup*) |
# | `isolated` | yes, no | has the caller taken it off its LRU list? |
# | `holders` | 0 to 3 | who has looked it up just now: `drop_caches`, a page fault, `mincore()` (is it in memory?) |
# | `pin` | yes, no | does a direct I/O pin one small page of it? (a pin goes by a mapping: at least one) |
#
# (The direct I/O of disks has taken pins since 2023. In Linux 6.1 it took plain references, for as long.)
#
# Without a widget, write your four answers here: `"equal"` or `"not equal"`.

# %% tags=["student"]
answers = {"second mapping": None, "no file": None, "one more holder": None, "a pin": None}
sides.store(**answers)

# %% tags=["solution"]
answers = {
    "second mapping": "equal",
    "no file": "equal",
    "one more holder": "not equal",
    "a pin": "not equal",
}
sides.store(**answers)

# %%
changed = {
    "second mapping": workbench(mappings=2),
    "no file": workbench(cached="no"),
    "one more holder": workbench(holders=1),
    "a pin": workbench(pin="yes"),
}
sides.show_against(outcomes(changed))

# %%
show_ledger(workbench(holders=1), after=sides)

# %% tags=["solution", "check"]
assert workbench().folio().refcount == 514
assert list(outcomes(changed).values()) == ["equal", "equal", "not equal", "not equal"]
assert workbench(cached="no").folio().refcount == 2
assert workbench(pin="yes").folio().refcount == 515
assert workbench(order=0).folio().refcount == 3
assert workbench(order=0, pin="yes").folio().refcount == 3 + 1024

# %% [markdown]
# <details><summary><b>Which change both sides?</b> Open when you have predicted.</summary>
#
# A mapping changes both sides, because the kernel counts mappings as well (`mapcount`). Leaving the file
# changes both sides: without a cache, 2 is all there is to expect. A holder or a pin changes one side only.
#
# </details>
#
# Turn `order` to 0 for a single page. The cache has 1 instead of 512, so an isolated page that is mapped
# once has 3. And a pin is something else there: it adds **1,024** at once. A single page has no counter for
# pins, so the kernel makes them stand out in the reference count. A huge page has a pin counter of its own,
# so there a pin is 1.
#
# | what happens | single page | huge page |
# | --- | --- | --- |
# | allocated | 1 | 1 |
# | put into the page cache | +1 | +512 |
# | queued for its LRU list | +1, while it waits in its processor's queue (the *batch*), so not once isolated | 0: it does not wait |
# | mapped for the first time | 0: takes over the one of the allocation | 0: the same |
# | mapped by one more process | +1 | +1 (as a whole, by a PMD) |
# | isolated | +1 | +1 |
# | looked up (`folio_try_get()`) | +1 | +1 |
# | pinned (`FOLL_PIN`), each pin | +1,024 | +1 |
#
# ## Worked example
#
# A huge page of a memfd, mapped by two processes, isolated, looked at by two others. Line by line:

# %%
show_table(worked(workbench(mappings=2, holders=2)), after=sides)

# %% tags=["check"]
assert outcomes({"w": workbench(mappings=2, holders=2)}) == {"w": "not equal"}
assert workbench(mappings=2, holders=2).folio().refcount == 517
assert workbench(mappings=2).folio().refcount == 515

# %% [markdown]
# 515 are expected, 517 are there: 2 references that the caller can't explain.
#
# **Your turn.** A huge page of a memfd, mapped by *three* processes, isolated, looked at by *one* other. One
# line is done.

# %% tags=["student"]
lines = {
    "page cache": 512,
    "mappings": None,
    "caller": None,
    "expected": None,
    "others": None,
    "actual": None,
}
check("01.faded", lines)

# %% tags=["solution"]
lines = {
    "page cache": 512,
    "mappings": 3,
    "caller": 1,
    "expected": 516,
    "others": 1,
    "actual": 517,
}
check("01.faded", lines)

# %% [markdown]
# **Five more, without the lines.** Every page in the table is isolated. Give (expected, actual) for each. (Memory of
# no file can have several mappings too: after a `fork()` parent and child share it.) The table is drawn from
# a seed; with another seed, in both cells, you get five others, as often as you like.

# %%
show_table(drawn_pages(seed=3))

# %% tags=["student"]
pages = {
    "seed": 3,
    "a": (None, None),
    "b": (None, None),
    "c": (None, None),
    "d": (None, None),
    "e": (None, None),
}
check("01.equation", pages)

# %% tags=["solution"]
pages = {
    "seed": 3,
    "a": (515, 517),
    "b": (3, 6),
    "c": (5, 6),
    "d": (5, 1029),
    "e": (513, 515),
}
check("01.equation", pages)

# %% [markdown]
# ## The same count, other holders
#
# **A question to vote on.** (In a room: vote, talk to your neighbour, vote again.) A huge page of a memfd
# has the reference count 514. What do you know?
#
# - **a** 514 users hold it.
# - **b** Two processes map it.
# - **c** Somebody has pinned it.
# - **d** None of the three follows.

# %% tags=["student"]
vote = None
check("01.vote", vote)

# %% tags=["solution"]
vote = "d"
check("01.vote", vote)

# %% [markdown]
# <details><summary><b>A common mistake.</b> Open when you have voted.</summary>
#
# "Refcount 514 means 514 users." The page cache alone has 512 of them, and the cache is not a user: nobody need
# ever look at these 2 MiB again.
#
# </details>
#
# Four huge pages with one and the same count:

# %%
alike = {
    "mapped twice": workbench(mappings=2, isolated="no"),
    "mapped, isolated": workbench(),
    "mapped, looked at": workbench(isolated="no", holders=1),
    "mapped, pinned": workbench(isolated="no", pin="yes"),
}
show_table(same_count(alike), after=sides)

# %% tags=["check"]
assert {page.folio().refcount for page in alike.values()} == {514}
assert len({page.folio().held for page in alike.values()}) == len(alike) == 4

# %% [markdown]
# ## Mapping or reference?
#
# A **mapping** is an entry in a page table. It has a reference, and it is also counted in a second number,
# `mapcount`. The kernel can find all mappings of a page and take them away. A plain **reference** is
# nothing but +1. It can't be found, and nobody can take it away but whoever has it.
# So every mapping is a reference, but a reference need not be a mapping.
#
# **Task.** All four pages above are mapped. Build one with refcount 514 that *nobody maps*. The knobs are those
# of the bench.

# %% tags=["student"]
mine = None  # for instance workbench(mappings=2, holders=0)
check("01.same", mine)

# %% tags=["solution"]
mine = workbench(mappings=0, holders=1)
check("01.same", mine)

# %% [markdown]
# ## For a moment, or for good?
#
# A reference has no name, and no duration either. Yet some end by themselves, soon, and others stay.
#
# **Task.** Which is which: `"temporary"` or `"long-term"`? (The *VFIO pin* is the one that lets a device work in the
# guest's memory.)

# %% tags=["student"]
stays = {
    "page cache": None,
    "mapping": None,
    "VFIO pin": None,
    "drop_caches": None,
    "direct I/O pin": None,
    "isolation": None,
}
check("01.kinds", stays)

# %% tags=["solution"]
stays = {
    "page cache": "long-term",
    "mapping": "long-term",
    "VFIO pin": "long-term",
    "drop_caches": "temporary",
    "direct I/O pin": "temporary",
    "isolation": "temporary",
}
check("01.kinds", stays)

# %% [markdown]
# <details><summary><b>Who stays, and until when?</b> Open when you have sorted the six.</summary>
#
# These end by themselves:
#
# | who | until |
# | --- | --- |
# | the walk of `drop_caches` | it is through with the pages, at most 15 in Linux 6.1, that it has collected; microseconds, mostly |
# | a page fault by another thread | it gets the lock of the page |
# | a look-up by `mincore()` or `move_pages()` | at once; microseconds |
# | a direct I/O (a pin) | the transfer is over; milliseconds |
# | the isolation | the page has been moved, or put back |
#
# Others stay: the page cache as long as the file has the page, a mapping until the process goes or the
# kernel takes it away, the pin of a device (`VFIO_IOMMU_MAP_DMA`) as long as the device is handed to the
# guest. For the first kind it is worth looking again later. For the second it is not, unless the kernel can
# take the reference away itself.
#
# </details>
#
# ## Somebody forgot to let go
#
# A reference that is taken and never dropped is a *leak*. The page can't be freed any more, nor moved, nor
# split, until the machine is started again. Here is a run with one. (Made up: no such bug is known in these
# four.) The guest fills its memory; then four visitors come twice each: `drop_caches`, a page fault, and two look-ups,
# `mincore()` and `move_pages()`. `folio_get` takes a reference, `folio_put` drops one (`= yes` is what a step
# answered: the page could be mapped). At the end 513 would be right, but
# it is 514. Who was it, and in which step did it take the reference that is still there?

# %%
show_table(leak_table(leak_hunt(seed=9).run()))

# %% tags=["student"]
found = {"seed": 9, "holder": None, "step": None}
check("01.leak", found)

# %% tags=["solution"]
found = {"seed": 9, "holder": "fault", "step": 14}
check("01.leak", found)

# %% tags=["solution", "check"]
from mmsim.units import HPAGE_PMD_NR, PAGE_SIZE, PAGEVEC_SIZE

assert PAGEVEC_SIZE == 15 and HPAGE_PMD_NR == 512 and PAGE_SIZE == 4 * 1024
assert HPAGE_PMD_NR * PAGE_SIZE == 2 * 1024 * 1024
assert workbench(isolated="no").folio().refcount == 513
assert folio_on(leak_hunt(seed=9).run()).refcount == 514
assert all(folio_on(leak_hunt(seed).run()).refcount == 514 for seed in range(20))

# %% [markdown]
# With the list of steps it can be found in a minute. A kernel in daily use keeps no such list; it has the 514.
#
# ## Write `expected_refs()`
#
# A function that gets an isolated folio and says how many references the caller expects. A folio has, among
# others, `folio.cached` (is it in the page cache?), `folio.nr_pages` (1 or 512) and `folio.mapcount`.
# `check` tries it on many folios, and if it is wrong shows you the plainest one.


# %% tags=["student"]
def expected_refs(folio):
    """How many references does the caller expect who has isolated this folio?"""
    refs = None
    return refs


check("01.expected_refs", expected_refs)


# %% tags=["solution"]
def expected_refs(folio):
    """How many references does the caller expect who has isolated this folio?"""
    refs = 1
    if folio.cached:
        refs += folio.nr_pages
    refs += folio.mapcount
    return refs


check("01.expected_refs", expected_refs)

# %% [markdown]
# The kernel's function for a move, `folio_expected_refs()`, is as short. It leaves the mappings out, because
# by then they have been taken away.
#
# ## What to keep
#
# - The count says how many references there are; it does not say whose, or for how long.
# - Expected = pages in the cache + mappings + the caller. One more, and the page stays where it is.
# - A huge page in the page cache has 512 references from the cache alone.
# - A mapping can be found and taken away; a plain reference can only be waited for.
# - A pin is a reference too: 1,024 on a single page, 1 (and a counter of its own) on a huge page.
#
# ## What this model leaves out
#
# | left out | consequence |
# | --- | --- |
# | page tables | a mapping is a number here; the kernel has to walk to find it |
# | huge pages mapped by single entries (PTEs) | each such entry is one more mapping and one more reference |
# | swap, private data of a file | both can add references that the kernel expects |
# | the lock of the page during a fault | nobody contends for it in these runs |
# | time | a reference that is held for a microsecond and one for a year look alike, as in the count |
#
# ## Words
#
# | word | meaning |
# | --- | --- |
# | reference | "I am using this folio, don't free it": +1 in its count, and nothing else |
# | mapping | an entry in a page table that points to the folio; one reference, and one in `mapcount` |
# | page cache | where a file finds its pages in memory |
# | memfd, shmem | a file that exists in memory only, and the part of the kernel that makes it |
# | anonymous memory | memory that belongs to no file |
# | isolate | take a folio off its LRU list in order to move it; one reference |
# | LRU list, batch | pages by how recently they were used; the short queue in front, one per processor |
# | pin | a reference that asks for the page to stay where it is (`FOLL_PIN`) |
# | PMD, PTE | an entry of a page table for 2 MiB, and one for 4 KiB |
# | leak | a reference that nobody is going to drop |
#
# More words stand in lesson 00.
#
# ## Further reading
#
# In the source of Linux 6.1: `include/linux/page_ref.h` (`folio_ref_count()`, `folio_ref_freeze()`),
# `mm/shmem.c` (`shmem_add_to_page_cache()`), `mm/memory.c` (`finish_fault()`), `mm/huge_memory.c`
# (`can_split_folio()`), `mm/migrate.c` (`folio_expected_refs()`), `mm/filemap.c` (`find_lock_entries()`, where
# `drop_caches` takes its reference), and `Documentation/core-api/pin_user_pages.rst` about pins.
#
# **Next:** lesson 02, *CMA: borrowed land*: how a guest's memory comes to lie where it may not stay. In a hurry? Lesson
# 04, *Migrate, or split and migrate*, is what the kernel does with a count that is one too high.
