"""Tasks that `infer` runs on each prediction, one file each."""
