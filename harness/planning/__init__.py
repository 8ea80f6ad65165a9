"""Reads scenarios, stacks and the ladder, and plans what a run measures.

Starts nothing and reads no clock: files and options go in, a `Plan` comes out. May import no other
folder of harness.
"""
