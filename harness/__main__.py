"""`python -m harness` is `twinbench`."""

from harness.processes.interrupts import interrupts

# Python may drop an interrupt that arrives during an import: until `main` listens, signals wait.
interrupts.block()

from harness.cli.main import main  # noqa: E402

if __name__ == "__main__":
    main()
