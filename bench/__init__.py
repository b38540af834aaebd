"""Measures plusone against what one would do without it, side by side, in one run: `make bench`."""
