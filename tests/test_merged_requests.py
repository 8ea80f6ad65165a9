"""Equal requests become one, and each has a name of its own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.models import OwnRequest
from harness.planning.requests.merge import merged, telling_status, uniquely_named

REQUESTS = st.lists(
    st.builds(
        OwnRequest,
        name=st.sampled_from(["", "a", "a (2)", "GET /"]),
        method=st.sampled_from(["GET", "PUT"]),
        path=st.sampled_from(["/", "/a"]),
        body=st.sampled_from([None, "", "x"]),
        status=st.sampled_from([None, 200, 404]),
        weight=st.integers(1, 5),
    ),
    max_size=20,
)


@given(REQUESTS)
def test_merging_keeps_all_weight_and_leaves_no_two_equal(requests: list[OwnRequest]) -> None:
    found = merged(requests)
    assert sum(one.weight for one in found) == sum(one.weight for one in requests)
    keys = [(one.method, one.path, one.body) for one in found]
    assert len(set(keys)) == len(keys)
    assert keys == list(dict.fromkeys((one.method, one.path, one.body) for one in requests))


@given(REQUESTS)
def test_every_request_gets_a_name_of_its_own(requests: list[OwnRequest]) -> None:
    names = [one.name for one in uniquely_named(requests, taken=["GET /a"])]
    assert len(set(names)) == len(names)
    assert not {"", "GET /a"} & set(names)


def test_statuses_that_differ_are_not_expected() -> None:
    def expected(*statuses: int | None) -> int | None:
        (one,) = merged(OwnRequest("", "GET", "/", status=status) for status in statuses)
        return one.status

    assert expected(200, 200) == 200
    assert expected(200, None) == 200
    assert expected(200, 404) is None
    assert expected(None) is None


def test_a_status_tells_something_unless_it_belongs_to_one_moment() -> None:
    assert [telling_status(one) for one in (200, 201, 302, 404, 401)] == [200, 201, 302, 404, 401]
    assert {telling_status(one) for one in (-1, 0, 101, 206, 304, 429, 499, 500, 503)} == {None}


def test_a_name_is_no_longer_than_a_person_reads() -> None:
    (first, second) = uniquely_named([OwnRequest("", "GET", f"/{'a' * 500}{n}") for n in (1, 2)])
    assert first.name == f"GET /{'a' * 94}…"
    assert second.name == f"{first.name} (2)"
