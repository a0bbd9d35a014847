"""Whole archives of photos, colorized or written into TFRecord shards by Apache Beam, on one machine or many."""
