"""The policies as pure logic: functions are 1, 2, 3; facets 10, 11, 12; objects 100, 101."""

from depwatch.compare.policies import Bulk, Dependency, Drop, Granular

RATE = Dependency(10, (100,))
SIZE = Dependency(11, (100,))
OTHER = Dependency(12, (101,))


def counts(policy: Bulk | Granular) -> tuple[int, ...]:
    c = policy.counts
    return c.dropped, c.needlessly, c.resumed, c.recompiled, c.patches


def test_bulk_by_facet_drops_exactly_the_dependents_of_the_facet() -> None:
    policy = Bulk(by_object=False)
    policy.compile(1, [RATE])
    policy.compile(2, [RATE, SIZE])
    policy.compile(3, [SIZE])
    assert sorted(policy.change(10, {10}), key=lambda drop: drop.function) == [Drop(1, False), Drop(2, False)]
    assert [policy.is_valid(function) for function in (1, 2, 3)] == [False, False, True]
    assert counts(policy) == (2, 0, 0, 0, 0)


def test_bulk_by_object_drops_needlessly_what_depends_on_another_facet_of_the_object() -> None:
    policy = Bulk(by_object=True)
    policy.compile(1, [RATE])
    policy.compile(2, [SIZE])
    policy.compile(3, [OTHER])
    assert sorted(policy.change(100, {10}), key=lambda drop: drop.function) == [Drop(1, False), Drop(2, True)]
    assert policy.is_valid(3)
    assert counts(policy) == (2, 1, 0, 0, 0)


def test_a_write_that_leaves_the_value_as_it_was_drops_needlessly() -> None:
    policy = Bulk(by_object=False)
    policy.compile(1, [RATE])
    assert policy.change(10, ()) == [Drop(1, True)]


def test_a_handle_is_dropped_once() -> None:
    policy = Bulk(by_object=False)
    policy.compile(1, [RATE, SIZE])
    assert policy.change(10, {10}) == [Drop(1, False)]
    assert policy.change(10, {10}) == []
    assert policy.change(11, {11}) == []
    assert counts(policy) == (1, 0, 0, 0, 0)


def test_only_what_was_dropped_is_recompiled() -> None:
    policy = Bulk(by_object=False)
    assert not policy.compile(1, [RATE])
    assert not policy.compile(1, [RATE, SIZE])  # made anew while valid: because an object died
    policy.change(11, {11})
    assert policy.compile(1, [RATE])
    assert policy.change(11, {11}) == []  # the new handle does not depend on it
    assert counts(policy) == (1, 0, 0, 1, 0)


def test_a_dict_is_given_up_after_its_sixth_change_that_hit_a_handle() -> None:
    policy = Bulk(by_object=True, give_up_after=6, may_give_up=lambda key: key == 100)
    for _ in range(6):
        policy.compile(1, [RATE, OTHER])
        policy.change(100, {11})
        policy.change(100, {11})  # nobody depends on it now: this one does not count
    policy.compile(1, [RATE, OTHER])
    assert policy.change(100, {10}) == []
    assert policy.change(101, {12}) == [Drop(1, False)]  # an object that is no dict
    assert counts(policy) == (7, 6, 0, 6, 0)


def test_an_object_that_is_no_dict_is_never_given_up() -> None:
    policy = Bulk(by_object=True, give_up_after=6, may_give_up=lambda key: False)
    for _ in range(20):
        policy.compile(1, [OTHER])
        assert policy.change(101, {12}) == [Drop(1, False)]
    assert counts(policy) == (20, 0, 0, 19, 0)


def test_an_unstable_facet_is_given_up_and_the_others_are_not() -> None:
    policy = Bulk(by_object=False, give_up_after=6)
    for _ in range(6):
        policy.compile(1, [RATE, SIZE])
        policy.change(10, {10})
    policy.compile(1, [RATE, SIZE])
    assert policy.change(10, {10}) == []
    assert policy.change(11, {11}) == [Drop(1, False)]
    assert counts(policy) == (7, 0, 0, 6, 0)


def test_what_was_reached_through_a_facet_that_is_given_up_is_not_depended_on_either() -> None:
    through = [RATE, Dependency(20, (200,), via=10), Dependency(21, (201,), via=20), SIZE]
    policy = Bulk(by_object=False, give_up_after=1)
    policy.compile(1, through)
    policy.change(10, {10})
    policy.compile(1, through)
    assert policy.change(20, {20}) == []
    assert policy.change(21, {21}) == []
    assert policy.change(11, {11}) == [Drop(1, False)]


def test_granular_patches_each_place_and_drops_nothing() -> None:
    policy = Granular()
    policy.compile(1, [RATE])
    policy.compile(2, [RATE, SIZE])
    assert [policy.change(10) for _ in range(10)] == [2] * 10
    assert policy.change(12) == 0
    assert policy.is_valid(1)
    assert counts(policy) == (0, 0, 0, 0, 20)


def test_granular_capped_patches_a_facet_six_times() -> None:
    policy = Granular(give_up_after=6)
    policy.compile(1, [RATE])
    policy.compile(2, [RATE, SIZE])
    assert [policy.change(10) for _ in range(8)] == [2] * 6 + [0, 0]
    policy.compile(3, [RATE])
    assert policy.change(10) == 0
    assert policy.change(11) == 1
    assert counts(policy) == (0, 0, 0, 0, 13)


def test_the_death_of_an_object_drops_nothing() -> None:
    policy = Bulk(by_object=True)
    policy.compile(1, [RATE, OTHER])
    policy.forget_key(101)
    assert policy.is_valid(1)
    assert not policy.depends_on(101)
    assert policy.change(100, {10}) == [Drop(1, False)]


def test_a_function_that_died_is_not_dropped() -> None:
    policy = Bulk(by_object=False)
    policy.compile(1, [RATE])
    policy.forget_function(1)
    assert policy.change(10, {10}) == []
    assert not policy.depends_on(10)
