"""posture-daemon: watches how its owner sits, and keeps learning from them."""

import os

__version__ = "0.1.0"

# A frame costs a few small matrix products: one BLAS thread is faster than two that wait for each other (measured: 2.3 against
# 6.5 ms on a busy machine). Must be set before numpy is imported; the training process sets its own number.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Since 2026 the official builds of ONNX Runtime for Linux report their use to their maker, over the network and with an
# identifier that they keep in ~/.cache. What this program sees at home is nobody's business; set before it is imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
