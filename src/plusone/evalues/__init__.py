"""Evidence that may be looked at at any time: e-values of counts, and two releases compared look by look.

This room knows counts and probabilities. It knows no release, no request and no store.
"""
