"""How much memory a training will take at its peak: what trainings like it really took, else a documented estimate."""

from collections.abc import Iterable

from posture_daemon.domain import MB, Failure, Strategy, TrainingRun
from posture_daemon.training.run_record import Load, RunRecord

LOOK_BACK = 5
"""Trainings like it that are looked at: some find everything cached and take little, the next may not."""

AFTER_FAILURE = 1.25
"""A training that ran out of memory would have needed more than it was seen to take."""


def expected_bytes(load: Load, attempts: Iterable[TrainingRun]) -> int:
    """The largest peak of the last trainings like it, larger by as much as there are more images now; else the estimate."""
    peaks = []
    for run in attempts:
        record = RunRecord.of(run.metrics)
        before, peak = record.load, record.peak_memory_bytes
        if not peak or before is None or not load.like(before):
            continue
        grown = max(1.0, load.images / max(1, before.images))
        failed = record.failure is Failure.OUT_OF_MEMORY
        peaks.append(int(peak * grown * (AFTER_FAILURE if failed else 1.0)))
        if len(peaks) == LOOK_BACK:
            break
    return max(peaks) if peaks else estimate_bytes(load)


def estimate_bytes(load: Load) -> int:
    """Bytes at the peak. The constants fit what was measured on x86 (docs/measurements.md), rounded up; none is of a board.

    Ours: Python with NumPy, SciPy and ONNX Runtime, the network, its activations, and the vectors, three times over while they
    are fitted. Ultralytics: Python with torch, and the activations of a batch, nearly three times as many where the backbone
    moves as well.
    """
    pixels, activations = (load.image_size / 224) ** 2, 0.6 * load.backbone_bytes
    if load.strategy == Strategy.REPLAY.value:
        vectors = load.images * (1 + load.views) * 256 * 4 * 3
        return int(250 * MB + 3 * load.backbone_bytes + max(load.batch, pixels) * activations + vectors)
    image = (8 * MB + activations) * pixels
    moving = 1.0 if load.strategy == Strategy.FINETUNE.value else 2.75
    return int(1000 * MB + load.batch * image * moving)
