from hypothesis import given
from hypothesis import strategies as st

from harness.machine.placement import parse_core_list, place


def alone(*cores: int) -> dict[int, frozenset[int]]:
    return {core: frozenset({core}) for core in cores}


def test_servers_get_one_of_two_cores_and_everything_else_the_other() -> None:
    placement = place(alone(0, 1))
    assert placement.servers == (0,)
    assert placement.load == placement.services == (1,)
    assert placement.note == ""


def test_every_role_has_cores_of_its_own_when_there_are_enough() -> None:
    placement = place(alone(0, 1, 2, 3))
    assert (placement.servers, placement.load, placement.services) == ((0,), (1,), (2, 3))


def test_servers_do_not_share_a_physical_core_with_the_load() -> None:
    pairs = {core: frozenset({core % 2, core % 2 + 2}) for core in range(4)}
    placement = place(pairs)
    assert placement.servers == (0,)
    assert placement.load == (1,)


def test_the_placement_notes_that_there_is_one_physical_core() -> None:
    placement = place({0: frozenset({0, 1}), 1: frozenset({0, 1})})
    assert placement.servers != placement.load
    assert "one physical core" in placement.note


def test_the_placement_notes_that_there_is_one_core() -> None:
    placement = place(alone(3))
    assert placement.servers == placement.load == placement.services == (3,)
    assert "there is one core" in placement.note


def test_the_placement_notes_that_the_system_can_not_pin() -> None:
    placement = place({}, can_pin=False)
    assert placement.servers == ()
    assert "can't pin" in placement.note


@given(st.sets(st.integers(0, 300), min_size=1))
def test_a_core_list_is_parsed_as_the_kernel_writes_it(cores: set[int]) -> None:
    text = ",".join(map(str, sorted(cores))) + "\n"
    assert parse_core_list(text) == cores


def test_ranges_and_single_cores_are_parsed() -> None:
    assert parse_core_list("0-2,5,7-8") == {0, 1, 2, 5, 7, 8}
