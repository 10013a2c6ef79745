"""Taking, dropping and freezing references."""

from small import NR, PFN, do, folio, isolated, memory

from mmsim.mm.page_ref import folio_get, folio_put, folio_ref_count, folio_ref_freeze


def test_a_freeze_wants_exactly_the_number_it_names():
    world = memory(isolated(pmd_maps=0))
    assert do(world, folio_ref_count(PFN)) == NR + 1
    for wrong in (0, NR, NR + 2):
        assert do(world, folio_ref_freeze(PFN, wrong)) is False
    assert do(world, folio_ref_freeze(PFN, NR + 1)) is True
    assert do(world, folio_ref_count(PFN)) == 0
    world.check()


def test_a_lookup_waits_for_a_folio_that_is_frozen_or_absent():
    world = memory(isolated(pmd_maps=0))
    op = folio_get("A", 1, 1)
    assert op.kind.guard(world, "me", *op.args) is None
    do(world, folio_ref_freeze(PFN, NR + 1))
    assert "A is frozen" in op.kind.guard(world, "me", *op.args)
    absent = folio_get("B", 0, 1)
    assert "no folio holds B[0] yet" in absent.kind.guard(world, "me", *absent.args)


def test_what_is_taken_in_a_name_is_dropped_in_it():
    world = memory(folio())
    assert do(world, folio_get("A", NR - 1, 2), me="x") == PFN
    assert world.folio(PFN).held == (("x", 2),)
    world.check()
    do(world, folio_put(PFN, "x", 2))
    assert world.folio(PFN) == folio()
