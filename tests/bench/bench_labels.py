"""How few labels are enough: random choice, lowest margin and the questions of posture-daemon, in one run on real frames.

    python tests/bench/bench_labels.py --data ../shared/data [--seeds 5] [--keep DIR]

Most of the time goes into views of 1,600 pictures, which `--keep` keeps. The product's own code: views, fit, weights of alike
frames, router, questions. A seed draws four of eight views of every picture, the first labels, and the random choices. A *key*
is one question answered, which labels a group of alike frames; frames of the group that are of another class are exceptions,
which the owner picks out: here they stay without a label. A *frame* is one label alone.

This is about the choice of questions within one room; what answers are worth on a new day `bench_days.py` measures. Frames are
numbered in time within a class folder, not across: so the classes are streamed side by side, each at an even pace.
"""

import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from posture_daemon.adapters.backbone.onnx import OnnxBackbone
from posture_daemon.adapters.checkpoints import import_checkpoint
from posture_daemon.datasets.images import read_as_jpeg
from posture_daemon.domain import Features, Floats, Prediction
from posture_daemon.labelling.query_strategy import Waiting, distance_to, doubt_of, questions, rarity_of
from posture_daemon.learning.augmentation import augmented_view, view_rng
from posture_daemon.learning.calibration import fit_temperature
from posture_daemon.learning.linear_fit import fit
from posture_daemon.learning.linear_layer import POOLED, Linear
from posture_daemon.learning.sample_weights import image_counts
from posture_daemon.live.sampling import FrameSampler
from posture_daemon.settings import QueueSettings
from posture_daemon.store.files import sha256_of
from posture_daemon.vision.head import softmax
from posture_daemon.vision.jpeg import decode
from tests.bench.bench_training import class_files
from tests.bench.shared import DATA, WEIGHTS, machine, options, spread, tell

NAMES = ("bad_posture", "good_posture")
POOL, VIEWS, SIZE, BLOCK, HOLDOUT_EVERY = 8, 4, 224, 20, 5
FIRST, BATCH, ENOUGH, MAX_LABELS = 8, 8, 0.99, 640
SPACING_S = 10.0

Rows = NDArray[np.intp]
Choose = Callable[["Labels", Rows, int], list[list[int]]]
Line = tuple[str, str, str, str]


@dataclass(frozen=True, eq=False)
class Frames:
    """`vectors (n, 1 + views, width)`, class numbers, place in time within the class (0-1), place in a block."""

    vectors: Floats
    truth: Rows
    time: NDArray[np.float64]
    held_out: NDArray[np.bool_]

    @property
    def seen(self) -> Floats:
        """As they are."""
        return self.vectors[:, 0]


@dataclass(eq=False)
class Labels:
    """What is labelled of `frames`."""

    frames: Frames
    rng: np.random.Generator
    rows: list[int]
    groups: list[int | None] = field(init=False)
    keys: int = 0

    def __post_init__(self) -> None:
        self.groups = [None] * len(self.rows)

    def fit(self) -> Linear:
        """The product's fit to all labels, alike frames counting as the product has it."""
        vectors, targets = self.frames.vectors[self.rows], self.frames.truth[self.rows]
        nothing = Linear(np.zeros((len(NAMES), vectors.shape[2]), np.float32), np.zeros(len(NAMES), np.float32))
        counts = image_counts([1] * len(self.rows), self.groups, targets.tolist())
        return fit(vectors, targets, nothing, POOLED, counts=counts)

    def known(self) -> Floats:
        """Labelled features."""
        return self.frames.seen[self.rows]

    def answer(self, group: Sequence[int]) -> None:
        """One key: the first frame's class for all of the group that are of it."""
        right = [row for row in group if self.frames.truth[row] == self.frames.truth[group[0]]]
        self.rows += right
        self.groups += [self.keys] * len(right)
        self.keys += 1


def at_random(labels: Labels, free: Rows, count: int) -> list[list[int]]:
    """Any."""
    return [[int(row)] for row in labels.rng.choice(free, min(count, len(free)), replace=False)]


def lowest_margin(labels: Labels, free: Rows, count: int) -> list[list[int]]:
    """Those that the model, fitted anew before each round, is least sure of."""
    doubt = doubt_of(softmax(labels.fit().logits(labels.frames.seen[free]), 1.0))
    return [[int(row)] for row in free[np.argsort(-doubt, kind="stable")[:count]]]


def badge(labels: Labels, free: Rows, count: int) -> list[list[int]]:
    """k-means++ over the gradients of the last layer (Ash et al. 2020), fitted anew before each round."""
    seen = labels.frames.seen[free]
    error = softmax(labels.fit().logits(seen), 1.0)
    error[np.arange(len(seen)), error.argmax(axis=1)] -= 1
    seen = seen - seen.mean(axis=0)
    size = (error**2).sum(axis=1) * (seen**2).sum(axis=1)
    apart, chosen = size.astype(np.float64), [int(size.argmax())]
    while len(chosen) < min(count, len(free)):
        last = chosen[-1]
        step = size + size[last] - 2 * (error @ error[last]) * (seen @ seen[last])
        apart = np.maximum(np.minimum(apart if len(chosen) > 1 else np.inf, step), 0)
        apart[chosen] = 0
        chosen.append(int(labels.rng.choice(len(free), p=apart / apart.sum())))
    return [[int(free[row])] for row in chosen]


def ours(model: Callable[[Labels], Linear] = Labels.fit, *, grouped: bool = True, temperature: float = 1.0) -> Choose:
    """The questions of the product; `model` is what says how doubtful a frame is."""

    def choose(labels: Labels, free: Rows, count: int) -> list[list[int]]:
        seen = labels.frames.seen[free]
        chances = softmax(model(labels).logits(seen), temperature)
        answered = np.bincount(labels.frames.truth[labels.rows], minlength=len(NAMES))
        guess = chances.argmax(axis=1) if grouped else np.arange(len(free))
        rarity = rarity_of(chances, answered.tolist())
        waiting = Waiting(seen, doubt_of(chances), guess, distance_to(labels.known(), seen), rarity)
        return [[int(free[row]) for row in one.rows] for one in questions(waiting, count)]

    return choose


def enough_labels(frames: Frames, choose: Choose, seed: int, first: int = FIRST, batch: int = BATCH) -> tuple[int, int]:
    """Keys, and labelled frames, from which top-1 on the held-out blocks is `ENOUGH`; `MAX_LABELS` when it never is."""
    pool, test = np.flatnonzero(~frames.held_out), frames.held_out
    labels = Labels(frames, np.random.default_rng(seed), [])
    asked = at_random(labels, pool, first)
    while True:
        for group in asked:
            labels.answer(group)
        free = np.setdiff1d(pool, labels.rows)
        if top1(labels.fit(), frames, test) >= ENOUGH:
            return labels.keys, len(labels.rows)
        if labels.keys >= MAX_LABELS or not len(free):
            return MAX_LABELS, len(labels.rows)
        asked = choose(labels, free, batch)


def admit(new: Frames, order: Rows) -> list[int]:
    """Rows that the router keeps, ten seconds apart, of a base."""
    router, kept = FrameSampler(QueueSettings(), Random(0)), []
    for number, row in enumerate(order.tolist()):
        features = Features(new.seen[row][:, None, None])
        said = Prediction((), np.empty(0, np.float32), features, 1, "", 0.0)
        if router.route(said, SPACING_S * number) is not None:
            router.stored(said)
            kept.append(row)
    return kept


def temperature_of(frames: Frames) -> float:
    """As the product calibrates: fitted without the held-out blocks, and then on them."""
    rows = np.flatnonzero(~frames.held_out).tolist()
    logits = Labels(frames, np.random.default_rng(0), rows).fit().logits(frames.seen[frames.held_out])
    return fit_temperature(logits, frames.truth[frames.held_out])


def top1(layer: Linear, frames: Frames, test: NDArray[np.bool_]) -> float:
    """Share of the frames under this mask that it names rightly."""
    return float((layer.logits(frames.seen[test]).argmax(axis=1) == frames.truth[test]).mean())


def side_by_side(frames: Frames) -> Rows:
    """Each class at an even pace."""
    return np.argsort(frames.time, kind="stable")


class Bench:
    """The frames of every seed."""

    def __init__(self, vectors: dict[str, Floats], seeds: int) -> None:
        self.seeds = range(seeds)
        names = ("first", "later")
        self._frames = {(name, seed): drawn(vectors, name, seed) for name in names for seed in self.seeds}

    def of(self, name: str, seed: int) -> Frames:
        """A set with the views of a seed."""
        return self._frames[name, seed]

    def labels(self) -> Iterator[Line]:
        """Labels for 0.99 on the held-out blocks."""
        way = {"random": at_random, "lowest margin": lowest_margin, "BADGE": badge}
        warm = temperature_of(self.of("first", 0))  # a champion's calibration needs its holdout, and so does this
        way |= {"ours, single frames": ours(grouped=False, temperature=warm), "ours, keys": ours(temperature=warm)}
        found = {n: [enough_labels(self.of("first", s), c, s) for s in self.seeds] for n, c in way.items()}
        mean = {name: statistics.mean(keys for keys, _ in results) for name, results in found.items()}
        bar = min(mean["random"] / 4, mean["lowest margin"])
        for name, results in found.items():
            images = statistics.mean(frames for _, frames in results)
            text = f"{spread([keys for keys, _ in results], 0)}, {images:.0f} frames"
            yield (f"labels for {ENOUGH}: {name}", text, *verdict(name, mean[name] <= bar, f"≤ {bar:.0f}"))

    def admitted(self) -> Iterator[Line]:
        """The queue of the first sessions, and what labelling only that costs."""
        share, room, day = [], [], []
        for seed in self.seeds:
            frames, later = self.of("first", seed), self.of("later", seed)
            kept = admit(frames, side_by_side(frames))
            share.append(100 * len(kept) / len(frames.truth))
            room.append(100 * (self._with(frames, None, frames, True) - self._with(frames, kept, frames, True)))
            day.append(100 * (self._with(frames, None, later, False) - self._with(frames, kept, later, False)))
        yield "admitted to the queue, % of 1,387", spread(share, 1), *verdict("ours", max(share) <= 15, "≤ 15")
        loss = "points lost against labelling all"
        yield f"{loss}, held-out blocks", spread(room, 1), *verdict("ours", statistics.mean(room) <= 1, "≤ 1")
        yield f"{loss}, another day", spread(day, 1), "", ""

    def _with(self, frames: Frames, rows: list[int] | None, test: Frames, blocks: bool) -> float:
        """Top-1 with only these rows labelled (`None`: all), on the held-out `blocks` or on all of `test`."""
        wanted = np.arange(len(frames.truth)) if rows is None else np.array(rows)
        if blocks:
            wanted = wanted[~frames.held_out[wanted]]
        layer = Labels(frames, np.random.default_rng(0), wanted.tolist()).fit()
        return top1(layer, test, test.held_out if blocks else np.ones(len(test.truth), np.bool_))


def verdict(name: str, passed: bool, bar: str) -> tuple[str, str]:
    """Bars are for what the product does, which is asking for keys; single frames are held to them too, but decide nothing."""
    missed = "misses" if "single" in name else "FAIL"
    return (bar, "pass" if passed else missed) if name.startswith("ours") else ("", "")


def drawn(vectors: dict[str, Floats], name: str, seed: int) -> Frames:
    """Identity and `VIEWS` of the `POOL` views of each picture."""
    parts = [vectors[f"{name}/{class_name}"] for class_name in NAMES]
    rng = np.random.default_rng([seed, len(name)])
    vectors_of = np.concatenate(parts)
    chosen = 1 + np.argsort(rng.random((len(vectors_of), POOL)), axis=1)[:, :VIEWS]
    chosen = np.concatenate([np.zeros((len(chosen), 1), np.intp), chosen], axis=1)
    places = np.concatenate([np.arange(len(part)) for part in parts])
    return Frames(
        vectors=np.take_along_axis(vectors_of, chosen[:, :, None], axis=1),
        truth=np.repeat(np.arange(len(parts)), [len(part) for part in parts]),
        time=np.concatenate([(np.arange(len(part)) + 0.5) / len(part) for part in parts]),
        held_out=places // BLOCK % HOLDOUT_EVERY == 1,
    )


def computed(data: Path, keep: Path) -> dict[str, Floats]:
    """Vectors of all frames and all views by set and class, `(n, 1 + POOL, width)`; from `keep` when they are there."""
    file = keep / "vectors.npz"
    if not file.exists():
        model = keep / "model"
        model.mkdir(parents=True, exist_ok=True)
        import_checkpoint(data / WEIGHTS, model, SIZE)
        backbone, front = OnnxBackbone(model / "backbone.onnx", threads=1), data / "front_webcam"
        sets = {"first": class_files(front / "first_sessions"), "later": class_files(front / "later_session")}
        vectors = {}
        with ThreadPoolExecutor(2) as pool:
            for name, classes in sets.items():
                for class_name, files in classes.items():
                    rows = list(pool.map(lambda path: vectors_of(path, backbone), files))
                    vectors[f"{name}/{class_name}"] = np.array(rows, np.float32)
        np.savez(file, **vectors)
    return dict(np.load(file))


def vectors_of(path: Path, backbone: OnnxBackbone) -> Floats:
    """One picture, `(1 + POOL, width)`, as the product keeps it, draws its views and pools its features."""
    jpeg = read_as_jpeg(path, QueueSettings())
    picture, digest = decode(jpeg), sha256_of(jpeg)
    views = [augmented_view(picture, SIZE, view_rng(digest, number, 0)) for number in range(1, POOL + 1)]
    return np.concatenate([backbone.extract_batch([one]).mean(axis=(2, 3)) for one in (picture, *views)])


def main() -> None:
    """Measure and print the table."""
    given = options(__doc__, data=DATA, seeds=5, keep=None)
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(computed(given.data.resolve(), (given.keep or Path(scratch)).resolve()), given.seeds)
    tell(f"{given.seeds} seeds, mean ± standard deviation; {machine()}")
    lines = [*bench.admitted(), *bench.labels()]
    tell(*(f"{name:70}{value:60}{bar:10}{result}" for name, value, bar, result in lines))
    sys.exit(1 if any(result == "FAIL" for *_, result in lines) else 0)


if __name__ == "__main__":
    main()
