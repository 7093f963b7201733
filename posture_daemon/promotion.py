"""Does the challenger beat the incumbent? A pure function on counts of the same holdout; ties go to the incumbent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from posture_daemon.domain import Decision, Verdict
from posture_daemon.settings import PromotionSettings


@dataclass(frozen=True)
class Score:
    """Right answers and images per class on one holdout, e.g. `{"good_posture": (18, 20)}`."""

    per_class: Mapping[str, tuple[int, int]]

    @property
    def correct(self) -> int:
        """Right answers over all classes."""
        return sum(right for right, _ in self.per_class.values())

    @property
    def images(self) -> int:
        """Images over all classes."""
        return sum(images for _, images in self.per_class.values())


def judge(challenger: Score, incumbent: Score | None, settings: PromotionSettings) -> Decision:
    """Promote when every verdict passes. `incumbent` is `None` when there is no champion or it knows no classes."""
    if challenger.images == 0:
        return Decision((Verdict("holdout", False, "there are no holdout images yet, so nothing can be shown"),))
    if incumbent is None:
        text = f"{_share(challenger)} on the holdout; the champion knows no posture classes"
        return Decision((Verdict("better", challenger.correct > 0, text),))
    better = Verdict(
        "better",
        challenger.correct > incumbent.correct,
        f"top-1 on the holdout {_share(incumbent)} → {_share(challenger)}",
    )
    return Decision((better, *_recall_losses(challenger, incumbent, settings)))


def _recall_losses(challenger: Score, incumbent: Score, settings: PromotionSettings) -> tuple[Verdict, ...]:
    """One failed verdict for each class that loses too much; classes with few images may not veto."""
    verdicts = []
    for name, (right_before, images) in incumbent.per_class.items():
        right_after = challenger.per_class.get(name, (0, images))[0]
        loss = (right_before - right_after) / images
        if images >= settings.min_class_images and loss > settings.max_recall_loss:
            text = f"recall of '{name}' falls from {right_before} to {right_after} of {images}"
            verdicts.append(Verdict(f"recall of {name}", False, text))
    return tuple(verdicts)


def _share(score: Score) -> str:
    return f"{score.correct / score.images:.3f} ({score.correct} of {score.images})"
