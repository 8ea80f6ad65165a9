"""What is measured: the contract, the two twins that keep it, and the weather service.

Nothing here imports `harness`, so a measured process contains no code that measures it.
"""
