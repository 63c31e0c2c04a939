# cython: language_level=3
"""To be written."""
