"""The report of a release as one HTML file that opens from disk, and its checks as JUnit XML: records in, text out.

Nothing here reads a store, a clock or a file of the project: the same records give the same bytes.
"""
