"""Reads and writes results/, and is the only code that does."""
