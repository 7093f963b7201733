"""The frozen backbone in ONNX Runtime, and what a frame goes through before it."""
