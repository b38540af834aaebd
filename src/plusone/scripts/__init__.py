"""Runs of any script or notebook: what `plusone.run` records without being asked, and what it is given to keep.

This room knows tracking, datasets and this process. It does not know pipelines, releases or servers.
"""
