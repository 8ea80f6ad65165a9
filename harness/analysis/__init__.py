"""Turns raw data into figures, intervals, gates and verdicts.

These modules are pure. They read samples through a function that the caller passes, and start,
write and print nothing. They import `models` and `errors`, and no other folder of the harness.
"""
