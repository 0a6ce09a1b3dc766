"""Training: losses, optimizers and schedules, the step, the writers, the loop."""
