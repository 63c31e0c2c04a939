"""Corpus: many real programs from PyPI, each recorded and replayed in an environment of its own."""
