"""What becomes of a graph before it is packaged: strings out of it, perhaps 8 bits, and the proof that it is equal.

This room knows trained objects, graphs and tables. It knows no file, no release and no request.
"""
