"""How the blocks of a round are measured: what a scenario measures decides which way.

`by_load`, `by_starts` and `by_test_client` are the ways; `blocks` has what they share.
"""
