"""The step Correct: a prediction taken into the labels, and where to paint next."""
