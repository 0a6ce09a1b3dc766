"""Many trainings as one experiment: what is varied, where it runs, what came out.

A sweep file (`definition`) becomes trials (`trials`); a plan says which comes next (`plans`: all of
a grid, `optuna_search`: those that Optuna asks for); each runs in a process of its own
(`trial_process`), some at a time on this machine (`local_runner`) or by Ray (`ray_runner`). What
came out is a JSON line a trial (`results`), of which `tables`, `plots` and `report` make something
to read; `significance` tells a difference from chance.
"""

from seq2seq_jax.sweeps.definition import Range, Sweep

__all__ = ["Range", "Sweep"]
