"""Every sentence of the report that is made from data.

A winner is named by a verdict alone: where the verdict is `same`, `inconclusive`, `overloaded` or
`invalid`, the sentence says so and what would help.
"""
