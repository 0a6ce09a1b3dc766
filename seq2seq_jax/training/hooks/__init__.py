"""What else happens during training, one file a hook: they look at it and do not change it."""
