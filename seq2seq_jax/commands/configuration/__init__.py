"""The commands that list, show and write configurations."""
