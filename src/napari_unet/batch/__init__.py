"""From file to file: a model segments one image or many, and their objects are measured.

Everything is an iterator of events, so that the command line and the window run the same; it knows
neither a terminal nor a window.
"""
