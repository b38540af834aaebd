"""What refers to what in a store: what made a thing and what it made, and which bytes nothing needs any more.

This room knows every record that names a digest. It does not know how they are made, gates or servers.
"""
