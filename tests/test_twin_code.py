"""The twins' files of a scenario's endpoints are found."""

from harness.planning.scenarios import load_scenarios
from harness.planning.twins import twin_code


def test_every_scenario_finds_a_file_of_each_twin_for_each_of_its_endpoints() -> None:
    for scenario in load_scenarios().values():
        parts = twin_code(scenario.endpoints)
        assert [e for part in parts for e in part.endpoints] == [
            *dict.fromkeys(e for part in parts for e in part.endpoints)
        ]
        assert {e for part in parts for e in part.endpoints} == set(scenario.endpoints)
        for part in parts:
            assert part.of("flask"), (scenario.name, part.name)
            assert part.of("fastapi"), (scenario.name, part.name)


def test_what_features_share_is_there_where_it_is_needed() -> None:
    assert [part.name for part in twin_code(["GET /hello"])] == [
        *("hello", "validation", "OpenAPI document", "application")
    ]
    assert {"database", "upstream"} <= {part.name for part in twin_code(["GET /dashboard/{city}"])}
    (users,) = (p for p in twin_code(["GET /users/{id}", "POST /users/validate"]) if p.endpoints)
    assert users.endpoints == ("GET /users/{id}", "POST /users/validate")
    assert [file.path for file in users.files] == [
        *("apps/flask_twin/users.py", "apps/fastapi_twin/users.py")
    ]


def test_a_model_that_both_twins_can_use_counts_for_the_one_that_needs_it() -> None:
    (validation,) = (p for p in twin_code(["GET /hello"]) if p.name == "validation")
    assert [file.path for file in validation.of("fastapi")] == [
        *("apps/fastapi_twin/validation.py", "apps/domain/new_user.py")
    ]
    assert len(validation.of("flask")) == 1


def test_an_endpoint_that_is_no_more_is_left_out() -> None:
    assert next(part.name for part in twin_code(["GET /gone", "GET /hello"])) == "hello"
