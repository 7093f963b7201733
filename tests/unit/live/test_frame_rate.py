"""The flow of frames over a stretch of time."""

from posture_daemon.live.frame_rate import FrameMeter


def test_a_stretch_has_its_rate_losses_and_longest_gap() -> None:
    """Since it was last taken; a gap that began before counts to the stretch in which it ended."""
    meter = FrameMeter(100.0)
    for now, lost in ((100.5, 0), (100.6, 0), (101.0, 2)):
        meter.add(now, 0.010, lost)
    flow = meter.take(102.0)
    assert (flow.seconds, flow.frames, flow.lost, flow.fps) == (2.0, 3, 2, 1.5)
    assert flow.longest_gap_s == 1.0  # still open
    assert flow.latency_ms == 10.0
    meter.add(102.5, 0.020, 0)
    assert meter.take(102.5).longest_gap_s == 1.5


def test_nothing_at_all_is_no_division_by_zero() -> None:
    """No frame, and no time."""
    flow = FrameMeter(5.0).take(5.0)
    assert (flow.fps, flow.latency_ms, flow.longest_gap_s) == (0.0, 0.0, 0.0)
