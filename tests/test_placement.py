from hypothesis import given
from hypothesis import strategies as st

from harness.machine.placement import parse_core_list, place


def alone(*cores: int) -> dict[int, frozenset[int]]:
    return {core: frozenset({core}) for core in cores}


def test_two_cores_are_shared_out_between_servers_and_the_rest() -> None:
    placement = place(alone(0, 1))
    assert placement.servers == (0,)
    assert placement.load == placement.services == (1,)
    assert placement.note == ""


def test_with_more_cores_every_role_has_its_own() -> None:
    placement = place(alone(0, 1, 2, 3))
    assert (placement.servers, placement.load, placement.services) == ((0,), (1,), (2, 3))


def test_servers_do_not_share_a_physical_core_with_the_load() -> None:
    pairs = {core: frozenset({core % 2, core % 2 + 2}) for core in range(4)}
    placement = place(pairs)
    assert placement.servers == (0,)
    assert placement.load == (1,)


def test_one_physical_core_is_used_but_said() -> None:
    placement = place({0: frozenset({0, 1}), 1: frozenset({0, 1})})
    assert placement.servers != placement.load
    assert "one physical core" in placement.note


def test_one_core_is_used_but_said() -> None:
    placement = place(alone(3))
    assert placement.servers == placement.load == placement.services == (3,)
    assert "one core only" in placement.note


def test_where_pinning_can_not_be_had_nothing_is_pinned_and_it_is_said() -> None:
    placement = place({}, can_pin=False)
    assert placement.servers == ()
    assert "can't pin" in placement.note


@given(st.sets(st.integers(0, 300), min_size=1))
def test_a_core_list_is_read_as_the_kernel_writes_it(cores: set[int]) -> None:
    text = ",".join(map(str, sorted(cores))) + "\n"
    assert parse_core_list(text) == cores


def test_ranges_are_read() -> None:
    assert parse_core_list("0-2,5,7-8") == {0, 1, 2, 5, 7, 8}
