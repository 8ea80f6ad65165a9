"""The command line: a file per command. Reads options, calls the folders below, maps errors to exit codes."""
