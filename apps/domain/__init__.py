"""Framework-free code that both twins call, so that neither is faster by other work.

`catalogue`, `cities`, `cpu` and `digits` import the standard library alone: the contract uses
them too.
"""
