"""Starts targets, which are loaded, and the services that they depend on.

May import `planning`, `processes`, `machine` and `checking`.
"""
