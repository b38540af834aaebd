"""Models that run in a process of their own: what of a project is packaged with one, and how that process is asked.

This room knows trained objects, project sources, processes and frames. It knows no signature's making, no proof, no
request and no route.
"""
