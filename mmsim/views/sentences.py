"""One plain sentence for every atomic step.

Interface: sentence, SENTENCES, opening

Each entry says who did what to which page, what the answer was and what it means, and names the
kernel's function once.  They describe the model's run; a test fails when a step has no entry.
"""

from __future__ import annotations

from collections.abc import Callable

from mmsim.engine.trace import Trace
from mmsim.flags import REASONS
from mmsim.views import steps
from mmsim.views.names import page_words, place, plural, result_words, subject
from mmsim.views.sentences_others import OTHERS
from mmsim.views.steps import Step

SENTENCES: dict[str, Callable[[Step], str]] = {
    "folio_get": steps.get,
    "folio_put": steps.put,
    "folio_ref_count": steps.ref_count,
    "references_explained": steps.explained,
    "folio_ref_freeze": steps.freeze,
    "folio_trylock": steps.trylock,
    "folio_lock": lambda s: (
        f"{s.who} takes the lock of {s.it()} with folio_lock(): nobody else has it"
    ),
    "folio_unlock": lambda s: f"{s.who} gives the lock of {s.it()} back with folio_unlock()",
    "folio_lock_by_name": lambda s: (
        f"{s.who} looks {s.named()} up and locks it with filemap_lock_folio()"
    ),
    "folio_test_writeback": lambda s: steps.yes(
        s,
        f"whether {s.it()} is being written back",
        "folio_test_writeback() says yes",
        "folio_test_writeback() says no",
    ),
    "folio_wait_writeback": lambda s: (
        f"{s.who} sleeps in folio_wait_writeback() until {s.it()} has been written back"
    ),
    "folio_mapping": lambda s: steps.yes(
        s,
        f"whether {s.it()} still belongs to its file",
        "folio_mapping() says yes",
        "folio_mapping() says no, so it is not split",
    ),
    "filemap_release_folio": lambda s: steps.yes(
        s,
        f"the file to let go of private data of {s.it()}",
        "filemap_release_folio() agrees",
        "filemap_release_folio() refuses, so the split ends here",
    ),
    "truncate_inode_folio": steps.truncate,
    "handle_mm_fault": steps.fault,
    "shmem_alloc_and_acct_folio": steps.allocated,
    "shmem_add_to_page_cache": lambda s: (
        f"{s.who} puts {s.it()} into its file with shmem_add_to_page_cache(): {s.refs()}"
    ),
    "map_in_another_process": steps.mapped_too,
    "do_anonymous_page": steps.anonymous,
    "folio_isolate_lru": steps.isolate,
    "folio_test_lru": lambda s: steps.yes(
        s,
        f"whether {s.it()} is on an LRU list",
        "folio_test_lru() says yes",
        "folio_test_lru() says no",
    ),
    "lru_add_drain_all": lambda s: steps.drained(
        s, "the batches of every CPU", "lru_add_drain_all"
    ),
    "lru_cache_disable": lambda s: steps.drained(
        s, "the batches of every CPU", "lru_cache_disable"
    ),
    "lru_cache_enable": lambda s: f"{s.who} lets batches be used again with lru_cache_enable()",
    "lru_add_drain": lambda s: steps.drained(s, "the batches of its own CPU", "lru_add_drain"),
    "folio_add_lru": lambda s: (
        f"{s.who} queues {s.it()} for an LRU list with folio_add_lru(): "
        + (
            "it goes straight there"
            if s.after.folios[s.a[0]].lru
            else "a batch may hold it for a while"
        )
    ),
    "putback_lru_page": lambda s: (
        f"{s.who} puts {s.it()} back with putback_lru_page(): the isolation ends, "
        "and it is queued for an LRU list"
    ),
    "follow_page_mask": steps.follow,
    "gup_put_folio": lambda s: (
        f"{s.who} lets go of {plural(s.a[1], 'page')} of {s.it()} with gup_put_folio(): {s.refs()}"
    ),
    "is_longterm_pinnable_page": lambda s: steps.yes(
        s,
        f"whether {s.it()} may stay where it is",
        "is_longterm_pinnable_page() says yes",
        f"is_longterm_pinnable_page() says no, it lies in {place(s.before, s.a[0])}",
    ),
    "remap_page": steps.remap,
    "unmap_folio": steps.unmap,
    "count_vm_events": steps.counted,
    "folio_kind": lambda s: (
        f"{s.who} asks what {s.it()} is made of: folio_test_anon() tells it that it is "
        f"{s.answer.replace('_', ' ')} memory"
    ),
    "folio_get_anon_vma": lambda s: steps.yes(
        s,
        f"for the anon_vma of {s.it()}",
        "folio_get_anon_vma() gives one",
        "folio_get_anon_vma() finds none, because nothing maps it",
    ),
    "xas_split_alloc": lambda s: steps.yes(
        s,
        f"for page-cache nodes for the pieces of {s.it()}",
        "xas_split_alloc() has them ready",
        "xas_split_alloc() finds no memory, so the split ends here",
    ),
    "can_split_folio": steps.can_split,
    "xas_load": lambda s: steps.yes(
        s,
        f"whether the page cache still has {s.it()}",
        "xas_load() says yes",
        "xas_load() says no, so the split ends here",
    ),
    "__split_huge_page": steps.split,
    "alloc_migration_target": steps.target,
    "folio_mapped": lambda s: steps.yes(
        s,
        f"whether {s.it()} is mapped anywhere",
        "folio_mapped() says yes",
        "folio_mapped() says no",
    ),
    "remove_migration_ptes": steps.remap_after_move,
    "try_to_migrate": lambda s: (
        f"{s.who} replaces every mapping of {s.it()} by a migration entry with try_to_migrate(): "
        f"{s.refs()}"
    ),
    "trace_mm_migrate_pages": steps.tracepoint,
    "trace_mm_migrate_pages_start": lambda s: (
        f"{s.who} starts to move its list: tracepoint trace_mm_migrate_pages_start(), reason "
        f"{REASONS[s.a[1]].replace('_', ' ')}"
    ),
    "folio_expected_refs": steps.begin,
    "folio_migrate_mapping": steps.moved,
    "pin_by_name": steps.pin_by_name,
    "unpin_by_pfn": lambda s: (
        f"{s.who} ends its pin of {s.it()} with unpin_user_page(): {s.refs()}"
    ),
    "isolate_by_name": steps.isolate_by_name,
    **OTHERS,
}


def opening(trace: Trace) -> str:
    """The sentence for position 0."""
    state = trace.state(0)
    huge = [folio for folio in state.world.folios.values() if folio.is_thp and folio.name]
    if not huge:
        return "Before the first step: nobody has moved yet."
    first = huge[0]
    counts = f"{first.refcount} references" + (" each" if len(huge) > 1 else "")
    return (
        f"Before the first step: {', '.join(map(page_words, huge))} "
        f"{'have' if len(huge) > 1 else 'has'} {counts}, and nobody has moved yet."
    )


def sentence(trace: Trace, position: int) -> str:
    """What the step that led to this position did, in one sentence."""
    if position == 0:
        return opening(trace)
    event = trace.events[position - 1]
    who = subject(event.actor)
    step = Step(
        who[0].upper() + who[1:],
        event.op.args,
        event.answer,
        event.outcome,
        trace.state(position - 1).world,
        trace.state(position).world,
    )
    describe = SENTENCES.get(event.op.kind.name)
    if describe is None:
        return f"{step.who} takes the step {event.op.kind.name}()."
    return describe(step) + _last_words(trace, position, event.actor) + "."


def _last_words(trace: Trace, position: int, actor: str) -> str:
    state = trace.state(position)
    local = trace.scenario.local(state, actor)
    if not local.finished or local.result is None:
        return ""
    return f"; with that it returns {result_words(trace.scenario, state, actor)}"
