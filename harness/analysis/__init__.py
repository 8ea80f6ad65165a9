"""Turns raw data into figures, intervals, gates and verdicts.

Pure: reads samples through a function that it is given, and starts, writes and prints nothing.
"""
