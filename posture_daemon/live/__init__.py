"""The road of a frame: capture, classify, debounce, decide whether it is kept, follow the champion."""
