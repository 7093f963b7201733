"""Planted wrong labels on real frames: how many are found, how many doubts are right, and how many right labels are doubted.

As an owner has them: folders imported into a store, vectors by the backbone, answers of what has not learned an image's
session, and the check of `dataset doubts`. Labels are turned into another class at random, in training and holdout, with each
seed; 100 labels are whole time blocks drawn at random. Exit 1 where fewer than half of the doubts are wrong labels, or more
than 2 of 100 labels as they are in the folders are doubted.

The folders themselves are not faultless: of `side_desk_days` 4 to 15 % of the pictures lie in another folder than their first
name said, so that a share of the "false" doubts there is right.
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from posture_daemon.bootstrap.models import import_model
from posture_daemon.bootstrap.reports import training_set
from posture_daemon.datasets import import_folder
from posture_daemon.learning.features import Vectors
from posture_daemon.learning.label_errors import ask, check_labels
from posture_daemon.learning.training_set import TrainingSet
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from tests.bench.shared import DATA, WEIGHTS, machine, options, tell, tell_table, verdict

NOW = 1_700_000_000.0
SHARES = (0.0, 0.06, 0.1)
FEW = 100
HITS, FALSE = 0.5, 2.0
HEADER = ("set", "labels", "agree", "planted", "found", "shown", "wrong", "right", "expected", "")


@dataclass(frozen=True)
class Counted:
    """Of one run: labels, those that were planted wrong, those shown, and the planted among these.

    `agreement` and `checked` (both 0–1) are what the check says of itself.
    """

    labels: int
    planted: int
    shown: int
    hits: int
    agreement: float
    checked: float


def folders(data: Path, scratch: Path) -> dict[str, list[Path]]:
    """Class folders of each set, one for each session that is known."""
    fingers = []
    for session in sorted(path for path in (data / "fingers_sessions").iterdir() if path.is_dir()):
        fingers.append(scratch / "fingers" / session.name)
        fingers[-1].mkdir(parents=True)
        for name in ("0_fingers", "4_fingers"):
            (fingers[-1] / name).mkdir()
            for picture in (session / name).iterdir():
                (fingers[-1] / name / picture.name).symlink_to(picture)
    return {
        "front_webcam": [data / "front_webcam" / "first_sessions"],
        "side_webcam": [data / "side_webcam"],
        "side_desk_days": sorted(path for path in (data / "side_desk_days").iterdir() if path.is_dir()),
        "fingers 0 and 4": fingers,
    }


def learned(store: Store, weights: Path, parts: Sequence[Path], views: int) -> TrainingSet:
    """What a training would learn from, after an owner has imported these folders."""
    settings = Settings(data_dir=store.folder, training={"views": views})
    import_model(store, weights)
    for part in parts:
        import_folder(store, settings, part, NOW)
    return training_set(store, settings)


def few(data: TrainingSet, rng: np.random.Generator) -> TrainingSet:
    """About `FEW` labels: whole time blocks, drawn until both classes have training images."""
    images = [*data.training.images, *data.holdout.images]
    blocks = sorted({image.block_id for image in images})
    while True:
        chosen: set[int] = set()
        for block in rng.permutation(blocks).tolist():
            if sum(image.block_id in chosen for image in images) >= FEW:
                break
            chosen.add(block)
        training, holdout = (_of_blocks(vectors, chosen) for vectors in (data.training, data.holdout))
        if len(set(training.truth)) == len(set(data.training.truth)):
            return replace(data, training=training, holdout=holdout)


def _of_blocks(vectors: Vectors, blocks: set[int]) -> Vectors:
    rows = [row for row, image in enumerate(vectors.images) if image.block_id in blocks]
    return Vectors([vectors.images[row] for row in rows], vectors.vectors[rows])


def planted(vectors: Vectors, share: float, names: Sequence[str], rng: np.random.Generator) -> tuple[Vectors, set[int]]:
    """The same images with this share of them called by another class, and the frames of these."""
    images = list(vectors.images)
    wrong = rng.choice(len(images), round(share * len(images)), replace=False).tolist() if images else []
    for row in wrong:
        others = [name for name in names if name != images[row].class_name]
        images[row] = replace(images[row], class_name=str(rng.choice(others)))
    return Vectors(images, vectors.vectors), {images[row].frame_id for row in wrong}


def one_run(data: TrainingSet, share: float, rng: np.random.Generator) -> Counted:
    """Plant, ask, check."""
    names = sorted(set(data.training.truth))
    training, in_training = planted(data.training, share, names, rng)
    holdout, in_holdout = planted(data.holdout, share, names, rng)
    wrong = in_training | in_holdout
    changed = replace(data, training=training, holdout=holdout)
    found = check_labels(ask(changed, holdout), data.sessions, data.groups)
    hits = sum(doubt.frame_id in wrong for doubt in found.doubts)
    checked = found.checked / max(1, found.labels)
    return Counted(found.labels, len(wrong), len(found.doubts), hits, found.agreement, checked)


def rows(name: str, data: TrainingSet, seeds: int) -> Iterator[tuple[Sequence[str], bool]]:
    """A line for each share, with all labels and with few, and whether it keeps the bar."""
    for size in ("all", "few"):
        for share in SHARES:
            runs = []
            for seed in range(seeds if share or size == "few" else 1):
                rng = np.random.default_rng([seed, size == "few"])
                runs.append(one_run(few(data, rng) if size == "few" else data, share, rng))
            yield line(name, runs)


def line(name: str, runs: Sequence[Counted]) -> tuple[Sequence[str], bool]:
    """Sums over the runs: of the rates, each label and each doubt counts alike."""
    labels, planted_, shown, hits = (
        sum(getattr(run, field) for run in runs) for field in ("labels", "planted", "shown", "hits")
    )
    false = 100 * (shown - hits) / (labels - planted_)
    good = (shown == 0 or hits / shown >= HITS) if planted_ else false <= FALSE
    cells = (
        name,
        f"{labels / len(runs):.0f}",
        f"{np.mean([run.agreement for run in runs]):.2f}",
        f"{100 * planted_ / labels:.0f} %" if planted_ else "none",
        f"{hits / planted_:.2f}" if planted_ else "",
        f"{shown / len(runs):.1f}",
        f"{hits / shown:.2f}" if shown and planted_ else "",
        f"{false:.1f}",
        f"{np.mean([run.checked for run in runs]):.2f}",
        verdict(good),
    )
    return cells, good


def main() -> None:
    """Measure and print the table."""
    given = options(__doc__, data=DATA, seeds=5, views=4)
    tell(machine(), f"{given.seeds} seeds, {given.views} views")
    table: list[Sequence[str]] = [HEADER]
    passed = True
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for set_, parts in folders(given.data.resolve(), scratch).items():
            with closing(Store(scratch / set_.replace(" ", "_"))) as store:
                data = learned(store, given.data.resolve() / WEIGHTS, parts, given.views)
            for cells, good in rows(set_, data, given.seeds):
                table.append(cells)
                passed = passed and good
    tell_table(table)
    tell(
        "found: of the planted; wrong: of the shown, planted ones; right: labels as they are that are doubted, of 100;",
        "expected: the share of slips that the check itself says it would show",
    )
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
