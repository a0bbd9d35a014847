"""Faults made on purpose: what this project survives, what it loses, and whether it says so."""
