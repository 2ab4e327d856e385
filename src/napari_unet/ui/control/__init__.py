"""What a step starts and what becomes of it; knows no buttons."""
