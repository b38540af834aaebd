"""Seeded faults of the demo's project: what may be wrong with release n+1, and whether the gate stays closed."""
