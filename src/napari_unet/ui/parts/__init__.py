"""Small widgets that know nothing of napari or of jobs, except where they pick layers."""
