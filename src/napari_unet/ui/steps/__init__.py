"""The steps of the dock, one file each."""
