"""posture-daemon: watches how its owner sits, and keeps learning from them."""

import os

__version__ = "0.2.0"

# A frame costs a few small matrix products: one BLAS thread is faster than two that wait for each other (measured: 2.3 against
# 6.5 ms on a busy machine). Must be set before numpy is imported; the training process sets its own number.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# From 1.29 on, ONNX Runtime reports to its maker on Linux too, unless it is told not to before it is imported. Nothing leaves
# this home; child processes inherit it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# OpenCV and its FFmpeg read these when they are loaded, and then print addresses of cameras with their passwords.
for _name in ("OPENCV_VIDEOIO_DEBUG", "OPENCV_FFMPEG_DEBUG", "OPENCV_LOG_LEVEL"):
    os.environ.pop(_name, None)
