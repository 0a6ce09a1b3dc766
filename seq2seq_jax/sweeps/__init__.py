"""Sweeps: many trainings as one experiment.

A sweep file (`definition`) defines trials and the trainings that they need (`trials`). A scheduler
decides which training comes next: all of a grid (`scheduler`), or those that Optuna chooses
(`optuna_search`). Each training runs in its own process (`trial_process`), on this machine
(`local_runner`) or under Ray (`ray_runner`); `run_sweep` writes one JSON line per trial
(`results`). `tables`, `plots` and `report` present the results; `significance` compares outputs
statistically.
"""

from seq2seq_jax.sweeps.definition import Range, Sweep

__all__ = ["Range", "Sweep"]
