"""Graphs of ONNX: written node by node, what enters them, and how they are run.

This room knows ONNX, arrays and onnxruntime. It knows no kind of trained model, no file and no request.
"""
