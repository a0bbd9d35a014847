"""Losses, metrics, the training model and its callbacks."""
