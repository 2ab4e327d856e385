"""The step Export: results become files."""
