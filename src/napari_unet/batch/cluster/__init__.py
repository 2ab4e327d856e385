"""The same work on many machines: dask.distributed spreads tiles and planes over its workers.

Results go through a folder that all see, and never through the scheduler. Everything that computes
is that of one machine: here is only who does what, and when.
"""
