"""The data folder that the faults begin with: the starter model, a second model, labels enough to learn from."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from posture_daemon.bootstrap.models import champion, load_model, open_store
from posture_daemon.domain import NewFrame, PostureClass, Reason
from posture_daemon.fake_desk import FakeDesk
from posture_daemon.labelling.class_roles import guess_role
from posture_daemon.settings import load_settings
from posture_daemon.store import Store
from posture_daemon.vision.head import Head
from posture_daemon.vision.jpeg import encode_jpeg

SEED, FPS, SPEED = 37, 20, 300
DAY_S = 86_400.0
BLOCKS, BLOCK_FRAMES = 10, 4

SETTINGS = f"""\
[camera]
fps = {FPS}
[queue]
unsure_below = 1.0
duplicate_cosine = 1.0
max_per_minute = 3600
max_uncertain_per_hour = 3600
max_frames = 100000
jpeg_longest_side_px = 320
[labels]
block_length_s = 600
[training]
min_new_labels = {{min_new_labels}}
views = 1
prepare_s = 0
nice = 0
[schedule]
check_every_s = 0.2
cooldown_s = 0
away_s = 0
backup_every_h = {{backup_every_h}}
calibrate_every_h = 0
tidy_every_h = 0
[limits]
memory_reserve_mb = 0
disk_reserve_mb = 0
start_celsius = 105
pause_celsius = 110
stop_celsius = 115
[promotion]
min_probability = 0.5
max_recall_loss = 1.0
[watch]
enabled = false
[ui]
port = 0
"""


def settings_text(*, learns: bool = False, backs_up: bool = False) -> str:
    """The settings file of a daemon in which one thing happens as often as it can, and the others hardly."""
    return SETTINGS.format(min_new_labels=1 if learns else 100_000, backup_every_h=0.00001 if backs_up else 0)


def camera(day: int) -> str:
    """The desk on one of its days: no two runs see the same pictures."""
    date = f"{2026 + day // 300}-{1 + day % 300 // 25:02d}-{1 + day % 25:02d}"
    return f"fake:desk?seed={SEED}&fps={FPS}&speed={SPEED}&start={date}T08:00"


def furnish(folder: Path) -> Path:
    """Make the folder. Model 1 is the starter; model 2, the champion, has one answer, so any training beats it."""
    folder.mkdir(parents=True)
    (folder / "posture-daemon.toml").write_text(settings_text())
    store = open_store(load_settings(None, {"data_dir": folder}).settings)
    try:
        _label(store)
        _add_worse(store)
    finally:
        store.close()
    return folder


def copy_of(template: Path, folder: Path) -> Path:
    """A folder of one's own to break."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)
    return folder


def _label(store: Store) -> None:
    model, desk = load_model(store, champion(store)), FakeDesk(seed=SEED)
    for block in range(BLOCKS):
        start = desk.start - 10 * DAY_S + 1200.0 * block
        frames = []
        for at in (start + 60.0 * number for number in range(BLOCK_FRAMES)):
            image, truth = desk.render(at), desk.truth_at(at)
            store.labels.ensure_class(PostureClass(truth, guess_role(truth)), at)
            seen = model.predict(image)
            known = {"pooled": seen.features.pooled.astype(np.float16), "backbone_sha256": seen.backbone_sha256}
            jpeg = encode_jpeg(image, 320, 88)
            frames.append((NewFrame(jpeg, at, "folder", Reason.UNCERTAIN, "unsure", **known), truth))  # type: ignore[arg-type]
        store.imports.add_block(frames, None, start, 3)


def _add_worse(store: Store) -> None:
    best = champion(store)
    head = Head.from_bytes(store.models.read_head(best.head_sha256))
    bias = np.array(head.linear_bias)
    bias[-1] += 50.0
    digest = store.models.add_head(replace(head, linear_bias=bias).to_bytes())
    worse = store.models.add_version(replace(best, head_sha256=digest, parent_id=best.id, source="always the same"))
    store.models.promote(worse.id, 1.0)
