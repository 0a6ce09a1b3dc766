"""Fast operations, each next to a plain reference."""
