"""An RTSP camera in a process of its own, with GStreamer from apt: `/usr/bin/python3 tests/rtsp_camera.py PORT CODEC`.

Says "ready" once it listens at rtsp://127.0.0.1:PORT/cam. CODEC is h264 or jpeg. Each line that it is given names the pattern
of videotestsrc to show from then on: smpte has a corner of noise, as a sensor has; smpte75 is a still; black is black.
"""

from __future__ import annotations

import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402  (only after the versions are chosen)

CODECS = {
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! rtph264pay name=pay0 config-interval=1",
    "jpeg": "jpegenc ! rtpjpegpay name=pay0",
}


def serve(port: str, codec: str) -> None:
    """Serve until killed."""
    Gst.init(None)
    sources: list = []
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f"( videotestsrc name=source is-live=true pattern=smpte ! "
        f"video/x-raw,format=I420,width=320,height=240,framerate=15/1 ! {CODECS[codec]} )"
    )
    factory.set_shared(True)
    factory.connect("media-configure", lambda _, media: sources.append(media.get_element().get_by_name("source")))
    server = GstRtspServer.RTSPServer(address="127.0.0.1", service=port)
    server.get_mount_points().add_factory("/cam", factory)
    if not server.attach(None):
        sys.exit(f"port {port} cannot be used")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    threading.Thread(target=follow, args=(sources,), daemon=True).start()
    GLib.MainLoop().run()


def follow(sources: list) -> None:
    """Show the patterns that come as lines."""
    for line in sys.stdin:
        for source in sources:
            Gst.util_set_object_arg(source, "pattern", line.strip())


if __name__ == "__main__":
    serve(*sys.argv[1:])
