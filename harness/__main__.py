"""`python -m harness` is `twinbench`."""

from harness.cli import main

main()
