"""What processes write down that are sampled; integration/test_sampler.py has real ones."""

import json
import math
import textwrap
from pathlib import Path

from harness.processes import sampler

PROJECT = Path("/home/somebody/twinbench")

WRITTEN = f"""\
Stack (most recent call first):
  File "{PROJECT}/apps/flask_twin/hello.py", line 10 in hello
  File "{PROJECT}/.venv/lib/python3.11/site-packages/flask/app.py", line 900 in dispatch_request
  File "/usr/x.py", line 1 in <module>
Stack (most recent call first):
  File "{PROJECT}/apps/flask_twin/hello.py", line 11 in hello
  File "{PROJECT}/.venv/lib/python3.11/site-packages/flask/app.py", line 901 in dispatch_request
  File "/usr/x.py", line 2 in <module>
Stack (most recent call first):
  File "<frozen importlib._bootstrap>", line ??? in _load
  ...
Stack (most recent call first):
  <no Python frame>
Stack (most recent call first):
  File "{PROJECT}/apps/flask_twin/hel"""


def test_samples_name_no_machine_and_leave_a_torn_one_out() -> None:
    found = sampler.read_stacks(WRITTEN, PROJECT)
    assert found == {
        (
            "<module> (other/x.py)",
            "dispatch_request (site-packages/flask/app.py)",
            "hello (apps/flask_twin/hello.py)",
        ): 2,
        ("… (other/…)", "_load (python/<frozen importlib._bootstrap>)"): 1,
        ("? (native/?)",): 1,
    }
    assert not any("somebody" in frame for frames in found for frame in frames)


def test_folders_may_have_letters_that_are_not_ascii(tmp_path: Path) -> None:
    """faulthandler escapes them."""
    project = tmp_path / "müller 日本"
    code = project / "apps" / "flask_twin" / "hello.py"
    code.parent.mkdir(parents=True)
    code.write_text("class Hello:\n    def get(self):\n        return 1\n")
    escaped = str(code).encode("ascii", "backslashreplace").decode()
    assert escaped != str(code)
    text = f'Stack (most recent call first):\n  File "{escaped}", line 3 in get\n'
    assert sampler.read_stacks(text, project) == {("Hello.get (apps/flask_twin/hello.py)",): 1}


def test_nothing_written_is_no_sample() -> None:
    assert sampler.read_stacks("", PROJECT) == {}


def test_names_are_those_of_classes_and_functions_around(tmp_path: Path) -> None:
    code = tmp_path / "code.py"
    code.write_text(
        textwrap.dedent("""\
        class Outer:
            class Inner:
                async def work(self):
                    def within():
                        return 5
                    return [len(x) for x in "ab"], within()

        free = lambda: 9
        """)
    )
    text = "Stack (most recent call first):\n" + "".join(
        f'  File "{code}", line {line} in {name}\n'
        for line, name in [(5, "within"), (6, "<listcomp>"), (6, "work"), (8, "<lambda>")]
    )
    ((frames, _),) = sampler.read_stacks(text, PROJECT).items()
    assert [frame.partition(" (")[0] for frame in frames] == [
        "<lambda>",
        "Outer.Inner.work",
        "Outer.Inner.work.<listcomp>",
        "Outer.Inner.work.within",
    ]


def test_the_standard_library_is_found_where_python_has_it() -> None:
    assert sampler.place(json.__file__, PROJECT) == "python/json/__init__.py"
    if found := getattr(math, "__file__", None):
        assert sampler.place(found, PROJECT).startswith("python/lib-dynload/")
