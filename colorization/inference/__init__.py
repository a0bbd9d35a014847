"""Colour for photos of any size: the one pre- and post-processing, its SavedModel, and the Python API on top."""
