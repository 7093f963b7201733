"""Implementations of the Protocols in `ports.py`: everything that touches hardware, torch, ONNX Runtime or the network."""
