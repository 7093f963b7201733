"""Compare the training of posture-daemon with plain ultralytics `freeze=10` on real frames: accuracy, time, memory.

    python tests/bench/bench_training.py --data ../shared/data --seeds 3 [--rows front side …] [--keep DIR]

Run it on a quiet machine; the whole table takes about three quarters of an hour on two cores, nearly all of it ultralytics.
Both sides see the same images: blocks of 20 files, the second and then every fifth block of a class for validation. Every
time is of a whole process, its start included. With `--keep` a run that was interrupted goes on where it was.
"""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from posture_daemon.store import Store
from posture_daemon.vision.image_files import natural_key
from tests.bench.shared import DATA, REPOSITORY, WEIGHTS, machine, options, tell, tell_table, verdict

BLOCK, HOLDOUT_EVERY = 20, 5
THREADS = 2
SIZE, EPOCHS = 224, 10
INSTANT_LABELS = 30
LARGE_SIZE, LARGE_IMAGES, LARGE_SAMPLE = 640, 290, 32

Files = dict[str, list[Path]]  # class → files in the order of time
Row = tuple[str, str, str, str, bool]


class Bench:
    """The two sides, and what they have measured so far."""

    def __init__(self, data: Path, seeds: int, keep: Path) -> None:
        self.data, self.seeds, self.keep = data, range(seeds), keep
        self.weights = data / WEIGHTS
        keep.mkdir(parents=True, exist_ok=True)

    def once(self, name: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The result under this name, measured unless an earlier run has it."""
        file = self.keep / f"{name}.json"
        if not file.exists():
            sys.stderr.write(f"  {name} …\n")
            result = measure()
            file.write_text(json.dumps(result))
        found: dict[str, Any] = json.loads(file.read_text())
        return found

    def ultralytics(
        self, name: str, train: Files, seed: int = 0, evaluate: Files | None = None, **job: Any
    ) -> dict[str, Any]:
        """Train plain ultralytics on the files, ours for validation being its validation too."""

        def measure() -> dict[str, Any]:
            folder = self.keep / "runs" / name
            shutil.rmtree(folder, ignore_errors=True)
            kept, held_out = split(train)
            copy(kept, folder / "data" / "train")
            copy(held_out if any(held_out.values()) else kept, folder / "data" / "val")
            if evaluate:
                copy(evaluate, folder / "evaluate")
            spec = {"weights": str(self.weights), "data": str(folder / "data"), "out": str(folder), "seed": seed}
            spec |= {"epochs": EPOCHS, "imgsz": SIZE, "freeze": 10}
            spec |= {"evaluate": {"later": str(folder / "evaluate")} if evaluate else {}} | job
            script = Path(__file__).with_name("plain_ultralytics.py")
            done = run([sys.executable, str(script), json.dumps(spec)])
            return dict(json.loads(done.stdout.strip().splitlines()[-1]))

        return self.once(name, measure)

    def ours(self, name: str, steps: list[Files], seed: int = 0, evaluate: Files | None = None) -> dict[str, Any]:
        """Import the weights, then for each step import its labels and train; then train again with all features cached."""

        def measure() -> dict[str, Any]:
            folder = self.keep / "runs" / name
            shutil.rmtree(folder, ignore_errors=True)
            store = folder / "store"
            cli(store, seed, "models", "import", self.weights)
            result: dict[str, Any] = {"seconds": [], "top1": []}
            if evaluate:
                copy(evaluate, folder / "evaluate")
            for number, files in enumerate(steps):
                copy(files, folder / f"labels{number}")
                cli(store, seed, "label", "--import", folder / f"labels{number}")
                began = time.monotonic()
                cli(store, seed, "train", "--force")
                result["seconds"].append(time.monotonic() - began)
                if evaluate:
                    result["top1"].append(newest_top1(store, seed, folder / "evaluate"))
            began = time.monotonic()
            cli(store, seed, "train", "--force")
            return result | {"warm_seconds": time.monotonic() - began, "peak_bytes": most_memory(store)}

        return self.once(name, measure)


def front(bench: Bench) -> Iterable[Row]:
    """Another day of the front webcam: accuracy, seconds cold and warm, memory."""
    sessions, later = (class_files(bench.data / "front_webcam" / part) for part in ("first_sessions", "later_session"))
    ours = [bench.ours(f"front-ours-{seed}", [sessions], seed, later) for seed in bench.seeds]
    theirs = [bench.ultralytics(f"front-theirs-{seed}", sessions, seed, later) for seed in bench.seeds]
    yield accuracy_row("front, another day: top-1", [o["top1"][0] for o in ours], [t["top1"]["later"] for t in theirs])
    base = statistics.mean(t["seconds"] for t in theirs)
    yield ratio_row("front, cold cache: seconds", [o["seconds"][0] for o in ours], base, 6)
    yield ratio_row("front, warm cache: seconds", [o["warm_seconds"] for o in ours], base, 50)
    peak, theirs_peak = (max(found["peak_bytes"] for found in side) for side in (ours, theirs))
    yield memory_row("front, training: peak memory", peak, theirs_peak, 0.65e9)


def instant(bench: Bench) -> Iterable[Row]:
    """One new label, its views computed, learned on top of all labels of the front webcam."""
    command = [sys.executable, __file__, "--instant", str(bench.keep)]
    measured = bench.once("instant", lambda: dict(json.loads(run(command).stdout)))
    middle = statistics.median(measured["milliseconds"])
    text = f"{middle:.0f} ms (worst of {len(measured['milliseconds'])}: {max(measured['milliseconds']):.0f})"
    yield f"instant head, {measured['labels']} labels: one more", "-", text, "≤ 100 ms", middle <= 100


def side(bench: Bench) -> Iterable[Row]:
    """A person who never was in the training set, both ways."""
    people = side_people(bench.data)
    ours, theirs = [], []
    for seed in bench.seeds:
        for known, new in (("a", "b"), ("b", "a")):
            mine = bench.ours(f"side-{known}-ours-{seed}", [people[known]], seed, people[new])
            plain = bench.ultralytics(f"side-{known}-theirs-{seed}", people[known], seed, people[new])
            ours.append(mine["top1"][0])
            theirs.append(plain["top1"]["later"])
    yield accuracy_row("side, a new person: top-1", ours, theirs)


def forgetting(bench: Bench) -> Iterable[Row]:
    """Learn the first half of person A, then B; how much is lost on the second half of A."""
    people = side_people(bench.data)
    early = {name: files[: len(files) // 2] for name, files in people["a"].items()}
    late = {name: files[len(files) // 2 :] for name, files in people["a"].items()}
    drops: dict[str, list[float]] = {"ours": [], "new": [], "finetune": []}
    for seed in bench.seeds:
        before, after = bench.ours(f"forget-ours-{seed}", [early, people["b"]], seed, late)["top1"]
        drops["ours"].append(before - after)
        learned = bench.ultralytics(f"forget-a-{seed}", early, seed, late)
        for strategy, how in (("new", {"freeze": 0}), ("finetune", {"lr0": 0.0002, "optimizer": "AdamW"})):
            name = f"forget-{strategy}-{seed}"
            then = bench.ultralytics(name, people["b"], seed, late, weights=learned["weights"], **how)
            drops[strategy].append(learned["top1"]["later"] - then["top1"]["later"])
    means = {name: 100 * statistics.mean(found) for name, found in drops.items()}
    theirs = f"new {means['new']:.1f}, finetune {means['finetune']:.1f} points"
    passed = means["ours"] <= 1 and means["ours"] <= min(means["new"], means["finetune"])
    yield "forgetting A after learning B", theirs, f"{means['ours']:.1f} points", "≤ 1, less than both", passed


def large(bench: Bench) -> Iterable[Row]:
    """The article's size, yolo11l-cls at 640 px, on a sample of the images, with random weights: for time and memory only."""
    weights = bench.keep / "yolo11l-cls.pt"
    if not weights.exists():
        run([sys.executable, "-c", f"from ultralytics import YOLO; YOLO('yolo11l-cls.yaml').save({str(weights)!r})"])
    sessions = class_files(bench.data / "front_webcam" / "first_sessions")
    sample = {name: files[: LARGE_SAMPLE // 2] for name, files in sessions.items()}
    theirs = bench.ultralytics("large-theirs", sample, weights=str(weights), imgsz=LARGE_SIZE, epochs=1)
    ours = bench.once("large-ours", lambda: large_ours(bench, weights, sample))
    per_epoch = theirs["epoch_seconds"] * LARGE_IMAGES / LARGE_SAMPLE
    name = f"yolo11l, 640 px, {LARGE_IMAGES} images"
    yield ratio_row(f"{name}: seconds an epoch, cached", [ours["epoch_seconds"]], per_epoch, 80)
    yield memory_row("yolo11l, 640 px: peak memory", ours["peak_bytes"], theirs["peak_bytes"], 1.5e9)
    cold = ours["cold_seconds"] * LARGE_IMAGES / LARGE_SAMPLE
    yield f"{name}: cold (no bar)", f"{10 * per_epoch:.0f} s for 10 epochs", f"{cold:.0f} s", "", True


ROWS = {"front": front, "side": side, "instant": instant, "forgetting": forgetting, "large": large}


def measure_instant(keep: Path) -> None:
    """Print how long each of the last labels of the front webcam takes, from its JPEG in the store to a new layer."""
    from dataclasses import replace

    import numpy as np

    from posture_daemon.adapters.backbone.onnx import OnnxBackbone
    from posture_daemon.bootstrap.models import champion
    from posture_daemon.learning.feature_space import FeatureSpace
    from posture_daemon.learning.features import FeatureSource
    from posture_daemon.learning.incremental_head import IncrementalHead
    from posture_daemon.learning.linear_layer import Linear
    from posture_daemon.live.online_session import MAX_VECTORS
    from posture_daemon.settings import TrainingSettings
    from posture_daemon.settings.recipe import Recipe
    from posture_daemon.vision.head import Head

    store = Store(keep / "runs" / "front-ours-0" / "store")
    best = champion(store)
    backbone = OnnxBackbone(store.models.backbone_folder(best.backbone_sha256) / "backbone.onnx", threads=THREADS)
    inputs = FeatureSpace.of(Head.from_bytes(store.models.read_head(best.head_sha256)), is_base=False)
    recipe, images = Recipe.of(TrainingSettings()), store.labels.labelled()
    names = [c.name for c in best.classes]
    warm = FeatureSource(store, backbone, inputs, recipe)
    prior = Linear(np.zeros((len(names), inputs.width), np.float32), np.zeros(len(names), np.float32))
    known, new = images[:-INSTANT_LABELS], images[-INSTANT_LABELS:]
    vectors, targets = warm.load(known, recipe.views).vectors, [names.index(i.class_name) for i in known]
    head = IncrementalHead(vectors, targets, prior, inputs.penalty, max_vectors=MAX_VECTORS)
    cold = FeatureSource(store, backbone, inputs, replace(recipe, seed=1, max_cache_mb=0.0))
    milliseconds = []
    for image in new:
        began = time.perf_counter()
        head.add(cold.load([image], recipe.views).vectors[0], names.index(image.class_name))
        milliseconds.append(1000 * (time.perf_counter() - began))
    sys.stdout.write(json.dumps({"labels": len(images), "milliseconds": milliseconds}))


def large_ours(bench: Bench, weights: Path, sample: Files) -> dict[str, Any]:
    """Import, label, train with an empty and with a full cache."""
    folder = bench.keep / "runs" / "large-ours"
    shutil.rmtree(folder, ignore_errors=True)
    store = folder / "store"
    cli(store, 0, "models", "import", weights, "--imgsz", str(LARGE_SIZE), "--as-base")
    copy(sample, folder / "labels")
    cli(store, 0, "label", "--import", folder / "labels")
    began = time.monotonic()
    cli(store, 0, "train", "--force")
    cold = time.monotonic()
    cli(store, 0, "train", "--force")
    # The whole warm training, processes and all, stands for one of its passes over the data: more than we need to claim.
    seconds = {"cold_seconds": cold - began, "epoch_seconds": time.monotonic() - cold}
    return seconds | {"peak_bytes": most_memory(store)}


def accuracy_row(name: str, ours: list[float], theirs: list[float]) -> Row:
    """Ours must be at least theirs, mean over all runs."""
    bar = statistics.mean(theirs)
    return name, ranged(theirs), ranged(ours), f"≥ {bar:.3f}", statistics.mean(ours) >= bar


def ratio_row(name: str, ours: list[float], theirs: float, ratio: int) -> Row:
    """Ours may take one part in `ratio` of theirs."""
    mean = statistics.mean(ours)
    return name, f"{theirs:.0f} s", f"{mean:.1f} s (1/{theirs / mean:.0f})", f"≤ 1/{ratio}", mean <= theirs / ratio


def memory_row(name: str, ours: float, theirs: float, bar: float) -> Row:
    """Ours may take so many bytes, at most."""
    return name, f"{theirs / 1e9:.2f} GB", f"{ours / 1e9:.2f} GB", f"≤ {bar / 1e9:.2f} GB", ours <= bar


def ranged(values: list[float]) -> str:
    """Mean and range."""
    return f"{statistics.mean(values):.3f} ({min(values):.3f}-{max(values):.3f})"


def class_files(folder: Path) -> Files:
    """Images of each class folder in natural order."""
    folders = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    return {path.name: sorted(path.iterdir(), key=lambda file: natural_key(file.name)) for path in folders}


def side_people(data: Path) -> dict[str, Files]:
    """Person A and B of the side webcam; the camera's first five frames of each sequence are nearly black."""
    files = class_files(data / "side_webcam")

    def sequence(name: str, start: str) -> list[Path]:
        return [file for file in files[name] if file.name.startswith(start)][5:]

    return {
        person: {"good_posture": sequence("good_posture", good), "bad_posture": sequence("bad_posture", bad)}
        for person, good, bad in (("a", "seq2", "seq1"), ("b", "seq3", "seq2"))
    }


def split(files: Files) -> tuple[Files, Files]:
    """Training and validation, as posture-daemon splits imported folders."""

    def part(held_out: bool) -> Files:
        return {
            name: [f for i, f in enumerate(found) if (i // BLOCK % HOLDOUT_EVERY == 1) is held_out]
            for name, found in files.items()
        }

    return part(False), part(True)


def copy(files: Files, folder: Path) -> None:
    """Class folders of copies."""
    for name, found in files.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for file in found:
            shutil.copyfile(file, folder / name / file.name)


def cli(store: Path, seed: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    """One command of posture-daemon on a data folder."""
    settings = {"TRAINING__SEED": seed, "TRAINING__NICE": 0, "TRAINING__THREADS": THREADS}
    env = {f"POSTURE_{name}": str(value) for name, value in settings.items()}
    return run([sys.executable, "-m", "posture_daemon", "--data-dir", str(store), *map(str, arguments)], env)


def run(command: list[str], env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run it to its end, and stop everything when it fails."""
    everything = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": str(THREADS), **(env or {})}
    done = subprocess.run(command, capture_output=True, text=True, env=everything, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done


def newest_top1(store: Path, seed: int, folder: Path) -> float:
    """Top-1 of the newest version, promoted or not: the bars are about the training, not about the gate."""
    with closing(Store(store)) as opened:
        newest = max(version.id for version in opened.models.all())
    said = cli(store, seed, "models", "evaluate", folder, "--model", newest).stdout
    found = re.search(r"\((\d+) of (\d+) images\)", said)
    assert found is not None, said
    return int(found[1]) / int(found[2])


def most_memory(store: Path) -> int:
    """The largest peak of any training on this data folder, bytes."""
    with closing(Store(store)) as opened:
        return max(r.metrics["report"]["peak_memory_bytes"] for r in opened.runs.recent() if "report" in r.metrics)


def main() -> None:
    """Measure and print the table."""
    given = options(__doc__, hidden=("instant",), data=DATA, seeds=3, rows=[*ROWS], keep=None, instant=None)
    if given.instant:
        measure_instant(given.instant)
        return
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(given.data.resolve(), given.seeds, (given.keep or Path(scratch)).resolve())
        rows = [row for name in ROWS if name in given.rows for row in ROWS[name](bench)]
    tell(f"{given.seeds} seeds, mean (range); {machine()}")
    head = ("measure", "plain ultralytics", "posture-daemon", "bar", "")
    tell_table([head, *((*row[:4], verdict(row[4])) for row in rows)])
    sys.exit(0 if all(row[-1] for row in rows) else 1)


if __name__ == "__main__":
    main()
