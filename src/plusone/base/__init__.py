"""What every room may use: errors, records, ids, the clock, configuration, files and plugins.

This room knows no database, no dataframe, no model and no server. It imports the standard library and msgspec only.
"""
