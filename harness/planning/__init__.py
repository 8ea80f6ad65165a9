"""Reads what there is (scenarios, stacks, profiles, the ladder) and decides what a run does.

Starts nothing and reads no clock: files go in, a `Plan` comes out.
"""
