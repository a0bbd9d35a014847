"""Trains on broken files and on numbers that are none: see __main__.py."""
