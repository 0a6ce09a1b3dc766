"""What a run keeps on disk: the workdir, its checkpoints and its metrics."""
