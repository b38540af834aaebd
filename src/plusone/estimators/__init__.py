"""Models of scikit-learn as graphs: the last step of a pipeline and what comes before it, from their fitted attributes.

This room knows scikit-learn and graphs. It knows no field, no signature and no proof.
"""
