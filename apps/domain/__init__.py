"""Code without a framework that both twins call, so that both do the same work.

`catalogue`, `cities`, `cpu` and `digits` import only the standard library, because the contract
uses them too.
"""
