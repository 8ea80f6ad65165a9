"""twinbench: a side-by-side benchmark harness for Flask and FastAPI."""

__version__ = "0.1.0"
