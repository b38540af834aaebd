"""Tensors, as others ask for predictions with them, as the fields of a model: values read, checked and put in order.

It knows packaged models and datatypes; it knows no protocol, no address and no server.
"""
