"""What runs in the background, one job at a time."""
