"""Takes the measurements: rounds, blocks and slices, as the pacing decides.

May import everything below `report`: it is where planning, machine, serving, load and store meet.
"""
