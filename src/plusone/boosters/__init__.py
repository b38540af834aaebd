"""Boosted trees of LightGBM and XGBoost, written as one `TreeEnsemble` from the model's own nodes.

This room knows what both libraries keep in a model, and how such a model is asked. It knows no scikit-learn pipeline
around it, no field of a signature and no file.
"""
