"""Describes the machine that a run takes place on: its facts, its placement of roles on cores, and what disturbs.

May import `planning` and `processes`.
"""
