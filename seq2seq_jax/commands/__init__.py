"""The commands of the command line, one module for each.

A module defines `HELP`, one sentence; `EXAMPLES`, two command lines; `add_arguments(parser)`; and
`run(arguments, overrides)`, where the overrides are the pairs (dotted key, text) of the
`--config.KEY=VALUE` flags. What a command needs to run is imported in `run`, so that `--help` is
answered without importing JAX. `run_arguments` and `text_files` hold what commands share.
"""
