"""What a model takes and answers: its fields, found out from the training data, and tables read by them.

This room knows fields, tables and how a trained object is asked. It knows no graph that was compiled and no file.
"""
