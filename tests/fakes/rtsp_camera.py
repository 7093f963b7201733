"""An RTSP camera in a process of its own, with GStreamer from apt: `/usr/bin/python3 tests/fakes/rtsp_camera.py PORT CODEC`.

Says "ready" once it listens at rtsp://127.0.0.1:PORT/cam. CODEC is one of `CODECS`. Each line that it is given names the
pattern of videotestsrc to show from then on: smpte has a corner of noise, as a sensor has; smpte75 is a still; black is black.
`check` instead of a port fails when something for this is not installed.
"""

import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402  (only after the versions are chosen)

CODECS = {
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! rtph264pay name=pay0 config-interval=1",
    "h264-b": "x264enc bframes=2 b-adapt=false speed-preset=ultrafast key-int-max=15 ! rtph264pay name=pay0 config-interval=1",
    "jpeg": "jpegenc ! rtpjpegpay name=pay0",
}


class Picture:
    """What is shown, also to who connects anew."""

    def __init__(self) -> None:
        self._pattern = "smpte"
        self._sources: list = []

    def configure(self, _factory: object, media: object) -> None:
        """A first client has come: GStreamer built a new source."""
        self._sources.append(media.get_element().get_by_name("source"))
        self.show(self._pattern)

    def show(self, pattern: str) -> None:
        """Show it from now on."""
        self._pattern = pattern
        for source in self._sources:
            Gst.util_set_object_arg(source, "pattern", pattern)

    def follow(self) -> None:
        """Show the patterns that come as lines."""
        for line in sys.stdin:
            self.show(line.strip())


def serve(port: str, codec: str) -> None:
    """Serve until killed."""
    Gst.init(None)
    picture = Picture()
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        "( videotestsrc name=source is-live=true ! video/x-raw,format=I420,width=320,height=240,framerate=15/1 ! "
        f"{CODECS[codec]} )"
    )
    factory.set_shared(True)
    factory.connect("media-configure", picture.configure)
    server = GstRtspServer.RTSPServer(address="127.0.0.1", service=port)
    server.get_mount_points().add_factory("/cam", factory)
    if not server.attach(None):
        sys.exit(f"port {port} cannot be used")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    threading.Thread(target=picture.follow, daemon=True).start()
    GLib.MainLoop().run()


def missing() -> str:
    """The parts of GStreamer that are not installed."""
    Gst.init(None)
    parts = ("videotestsrc", "x264enc", "jpegenc", "rtph264pay", "rtpjpegpay")
    return ", ".join(part for part in parts if Gst.ElementFactory.find(part) is None)


if __name__ == "__main__":
    if sys.argv[1] == "check":
        sys.exit(missing() or None)
    serve(*sys.argv[1:])
