"""Labels: what the truth for an answer of a model may be. This room knows what models answer; it knows no request and
no store.
"""
