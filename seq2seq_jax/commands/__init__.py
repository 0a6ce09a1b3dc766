"""What the command line can do, one file a command.

Each has `HELP` (one line), `add_arguments(parser)`, and `run(arguments, overrides)`, where
overrides are the (dotted key, text) of the `--config.KEY=VALUE` flags. Importing one is cheap:
what it needs to run is imported when it runs, so that `--help` answers at once.
"""
