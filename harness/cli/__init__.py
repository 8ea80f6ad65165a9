"""The command line: a file per command, which reads options and calls the folders below.

May import every other folder except `load` and `channel`; nothing imports this one. Commands
compute nothing and hold no format: figures come from `analysis`, files from `store`, words from
`report`. What a command needs is imported inside it, so that `--help` answers at once. A new
command is a file with a `command` in it, and its name in `main.COMMANDS`.
"""
