"""What is measured: the contract, the two twins that answer it, and the weather service.

Nothing here imports `harness`, so a measured process holds nothing of what measures it.
"""
