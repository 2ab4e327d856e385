"""The step Segment: results that fill tile by tile."""
