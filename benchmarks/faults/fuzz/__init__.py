"""Feeds decoders, hints and flags what nobody should: see __main__.py."""
