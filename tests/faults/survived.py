"""What goes wrong beside a running daemon, what its log says, and the test that has seen it go on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Survived:
    """One fault that ends nothing.

    `says` is its line in the log, with `…` for what differs; `does` is what the daemon does about it. `test` is the file and
    the function that proves it, which must look for `proof`, a part of the line.
    """

    title: str
    says: str
    does: str
    test: str
    proof: str


# fmt: off
SURVIVED = (
    Survived("A camera that gives no more frames", "camera lost, will keep trying: …",
             "`status` says since when and why; its frames are taken again as soon as they come.",
             "integration/test_latest_frame.py::test_a_read_that_hangs_is_a_lost_camera", "camera lost"),
    Survived("A camera whose driver hangs when the daemon stops",
             "camera … did not answer within … s and is left behind",
             "The daemon ends in time all the same.",
             "integration/test_latest_frame.py::test_stopping_does_not_wait_for_a_camera_that_hangs", "did not answer"),
    Survived("A camera whose driver fails in a way that nobody foresaw", "camera … failed unexpectedly",
             "It counts as lost, and is opened again.",
             "integration/test_latest_frame.py::test_a_bug_in_an_adapter_does_not_end_the_reader",
             "failed unexpectedly"),
    Survived("A frame that cannot be handled", "frame … could not be handled: …",
             "It is counted in `status`, and the next one is answered.",
             "unit/live/test_capture.py::test_a_bad_frame_is_counted_and_ends_nothing", "could not be handled"),
    Survived("A disk that is full when the daemon stops", "the last period of posture is not recorded: …",
             "Only that period is missing in the history.",
             "unit/live/test_capture.py::test_a_full_disk_does_not_turn_a_clean_stop_into_a_crash",
             "last period of posture is not recorded"),
    Survived("A port of the label page that another program has",
             "The label page cannot be served at … Everything else goes on.",
             "`label` serves a page of its own.",
             "e2e/test_label_command.py::test_a_daemon_whose_port_is_taken_goes_on_without_the_page",
             "label page cannot be served"),
    Survived("A broken picture among those that are replayed", "image … is left out because it cannot be read: …",
             "The next one is shown.",
             "unit/adapters/test_replay_camera.py::test_a_damaged_image_is_left_out_with_one_warning", "is left out"),
    Survived("A labelled picture that cannot be read", "frame … is left out: …",
             "The training learns from the others.",
             "unit/learning/test_fit_challenger.py::test_pictures_that_cannot_be_read_are_left_out", "is left out"),
    Survived("Cached features that cannot be read or written",
             "the feature cache … cannot be written (…): going on without",
             "They are computed anew; nothing else depends on them.",
             "unit/learning/test_feature_cache.py::test_a_file_that_cannot_be_read_is_an_empty_one",
             "cannot be written"),
)
