"""What else inference does or writes, one file a task."""
