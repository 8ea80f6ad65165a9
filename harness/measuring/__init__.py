"""Takes the measurements: rounds, blocks and slices, in the order that the plan and the pacing give."""
