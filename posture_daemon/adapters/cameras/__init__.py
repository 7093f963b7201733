"""Cameras behind the `Camera` Protocol. Start in `factory.py`: it builds a camera from the address that the user typed.

Reading order: `opencv` and `device` (USB, CSI, and video by FFmpeg), `replay` (films and folders), then those of a network:
`network_url` and `network_patience` (what was typed, and how long it is waited for), `patient_socket` (a connection with one
deadline), `http_head`, `content_encoding` and `http_answer` (one question and its answer), `challenges` and `credentials` (who
asks), `jpeg_scanner` and `picture_stream` (pictures in what comes), `http_camera`; `rtsp_question` tells why FFmpeg failed. Who
reads them: `reader_thread` and `latest_frame`, with `camera_health` and `log_throttle` for what is said of it, and `own_thread`
for a single look.
"""

from posture_daemon.adapters.cameras.factory import open_camera

__all__ = ["open_camera"]
