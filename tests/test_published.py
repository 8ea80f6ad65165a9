"""Published figures are read strictly, and each names a comparison that this project can make."""

from pathlib import Path

import pytest

from harness.errors import BadInput
from harness.planning.options import PROFILES, RunOptions
from harness.planning.plan import load_catalogue, make_plan
from harness.planning.published import load_published
from tests.test_claims import pairs_of

CATALOGUE = load_catalogue()

GOOD = """
[[figure]]
source = "somebody"
setup = "a machine"
test = "hello"
flask = 100
fastapi = 250.0
scenario = "hello"
candidate = "fastapi-uvicorn"
baseline = "flask-gthread"
differs = "everything"
"""


def test_the_profile_full_measures_what_is_nearest() -> None:
    plan = make_plan(CATALOGUE, RunOptions(profile=PROFILES["full"]))
    figures = load_published()
    assert len(figures) >= 19
    for figure in figures:
        if figure.scenario:
            pair = frozenset((figure.candidate, figure.baseline))
            assert pair in pairs_of(plan, figure.scenario), figure.test


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (GOOD, "", "needs tables ..figure.., and nothing else"),
        (GOOD, f"x = 1\n{GOOD}", "needs tables ..figure.., and nothing else"),
        (GOOD, "figure = [1]", "figure 1: must be a table"),
        ("[[figure]]", "[[figure", r"can't be read as TOML: .*\(at line 2"),
        ("flask = 100", "flask = 0", "figure 1: 'flask' must be a number above 0"),
        ("flask = 100", "flask = nan", "figure 1: 'flask' must be a number above 0"),
        ("flask = 100", 'flask = "100"', "figure 1: 'flask' must be a number above 0"),
        ("flask = 100", "", "figure 1: field 'flask' is missing"),
        ("flask = 100", "flask = 100\nrps = 1", "figure 1: unknown field 'rps'; known: source"),
        ('source = "somebody"', "source = 1", "figure 1: 'source' must be text in quotes"),
        ('differs = "everything"', "", "figure 1: field 'differs' is missing"),
        ('baseline = "flask-gthread"', "", "figure 1: give all of scenario, candidate, baseline"),
        ('"flask-gthread"', '"flask"', "figure 1: baseline 'flask' is not one of: flask-gthread"),
        ('scenario = "hello"', 'scenario = "x"', "figure 1: scenario 'x' is not one of: "),
        ("flask = 100", 'metric = "pss"\nflask = 100', "figure 1: metric 'pss' is not one of"),
    ],
)  # fmt: skip
def test_a_bad_entry_is_refused_with_its_place(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "published.toml"
    file.write_text(GOOD)
    assert load_published(file, CATALOGUE)[0].ratio == 2.5
    file.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(BadInput, match=rf"^{file}: {message}"):
        load_published(file, CATALOGUE)


def test_a_missing_file_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"x\.toml: can't be read: No such file"):
        load_published(tmp_path / "x.toml", CATALOGUE)
