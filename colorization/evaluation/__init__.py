"""Scores a colorizer on a folder of colour photos: protocol, FID, report, gallery."""
