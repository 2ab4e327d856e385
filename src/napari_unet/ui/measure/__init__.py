"""The step Measure: a table of all objects, its plots, and a file of it."""
