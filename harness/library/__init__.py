"""What twinbench does when Python asks for it, and not the command line; `twinbench` has its names.

May import every other folder except `load`, `channel`, `calibration` and `cli`. What the command line
does in the same way, such as writing a run's report, stands here too, and `cli` calls it. Nothing is printed
here, and nothing is imported at once that only a measurement needs.
"""
