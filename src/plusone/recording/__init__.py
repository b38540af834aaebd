"""The points of metrics: into the journal, from there into the store in chunks, and out of it again.

This room knows the journal and the tables of series. Of a run it knows the id and the latest value of each metric.
"""
