"""Training: the loop, the step, optimizers, learning rate schedules and hooks."""
