"""The settings of learning: when, within which limits, how, and what becomes of the result."""

from typing import Literal

from pydantic import Field

from posture_daemon.settings.sections import Section, number

TIME = r"(([01]?\d|2[0-3]):[0-5]\d|24:00)"
SPAN = rf"{TIME}\s*-\s*{TIME}"


class TrainingSettings(Section):
    """What a training needs of the owner, and how it is done."""

    strategy: Literal["replay", "scratch", "all", "new", "finetune"] = Field(  # domain.Strategy, whose file loads NumPy
        default="replay",
        description="How the schedule, and `train` unless told otherwise, learns: replay is ours; scratch, all, new and "
        "finetune are the article's, run by ultralytics.",
        json_schema_extra={"allowed": "replay, scratch, all, new or finetune"},
    )
    min_new_labels: int = number(20, 1, 100_000, "Labels since the last training from which the next one may begin.")
    min_session_labels: int = number(
        6, 1, 100_000, "Labels of a day that nothing was learned of yet, of two classes, from which fewer are enough."
    )
    min_images_per_class: int = number(
        2,
        1,
        10_000,
        "Training images below which a class is learned with a warning; a first training waits for two "
        "classes that have them.",
    )
    views: int = number(4, 0, 64, "Augmented views made of each image.")
    flip: bool = Field(
        default=True,
        description="Mirror images when ultralytics trains; turn it off if left and right are two classes (true or false).",
    )
    timeout_s: float = number(3600.0, 1, 86_400, "Longest training run, in seconds.")
    nice: int = number(10, 0, 19, "Niceness of the training process (0 to 19).")
    threads: int = number(2, 1, 64, "CPU threads of the training process.")
    batch: int = number(
        8,
        1,
        256,
        "Views of 224x224 pixels that a thread puts through the network at a time, fewer of larger ones; halved "
        "for the next training after one that ran out of memory.",
    )
    seed: int = number(0, 0, 2**31 - 1, "Number that fixes all randomness of a training run.")
    max_cache_mb: float = number(
        500.0, 0, 1_000_000, "Most disk space for cached vectors, in megabytes (1,000,000 bytes)."
    )
    cache_bits: int = Field(
        default=16, ge=8, le=16, multiple_of=8, description="Bits of each number in a cached vector (8 or 16)."
    )
    prepare_s: float = number(
        20.0, 0, 3600, "Seconds for which views of new labels are computed ahead, at most once per look; 0 never."
    )


class ScheduleSettings(Section):
    """When a training may begin, as far as the owner is concerned, and when the daemon looks after itself."""

    check_every_s: float = number(60.0, 0.1, 86_400, "Seconds between two looks at whether training may begin.")
    cooldown_s: float = number(3600.0, 0, 604_800, "Shortest pause between two training runs, in seconds.")
    windows: str = Field(
        default="",
        pattern=rf"^\s*({SPAN}(\s*,\s*{SPAN})*)?\s*$",
        description="Local times of day at which training may begin and go on; empty: at any time.",
        json_schema_extra={"allowed": "times of day such as 12:00-13:00, 22:00-06:00, or empty"},
    )
    away_s: float = number(
        120.0,
        0,
        86_400,
        "Seconds that the owner must be away (a class whose role is away) before training begins; 0: it begins "
        "beside them as well.",
    )
    away_patience_s: float = number(
        14_400.0,
        0,
        2_592_000,
        "Seconds that enough new labels, or another region, wait for the owner to be away; then training begins all the same.",
    )
    calibrate_every_h: float = number(24.0, 0, 8760, "Hours between two refits of the champion's confidence; 0 never.")
    backup_every_h: float = number(24.0, 0, 8760, "Hours between two backups of the database; 0 never.")
    backups: int = number(3, 1, 1000, "Backups that are kept, the newest ones.")
    tidy_every_h: float = number(24.0, 0, 8760, "Hours between two clearings of what nobody needs any more; 0 never.")


class LimitsSettings(Section):
    """What the device must have to spare, before and during a training."""

    memory_reserve_mb: int = number(
        1024,
        0,
        65_536,
        "Megabytes (1,000,000 bytes) that must stay available beside what the training is expected to need.",
    )
    memory_floor_mb: int = number(
        400, 0, 65_536, "Megabytes of available memory below which a running training ends, to be continued later."
    )
    memory_pressure_percent: float = number(
        20.0,
        0,
        100,
        "Share of time, in per cent, that some process waits for memory (PSI, 10 s average) from which a running "
        "training ends, to be continued later.",
    )
    max_memory_mb: int = number(4096, 64, 1_000_000, "Most memory of a training, in megabytes; beyond it is ended.")
    start_celsius: float = number(
        72.0,
        20,
        105,
        "Degrees Celsius of the hottest thermal zone up to which a training begins, and a paused one goes on.",
    )
    pause_celsius: float = number(80.0, 20, 110, "Degrees Celsius from which a running training pauses.")
    stop_celsius: float = number(
        88.0, 20, 115, "Degrees Celsius from which a running training ends, to be continued later."
    )
    max_pause_s: float = number(900.0, 1, 86_400, "Longest pause of a training, in seconds; then it ends for now.")
    disk_reserve_mb: int = number(500, 0, 1_000_000, "Megabytes that must be free on the disk of the data folder.")
    idle_cpu_percent: float = number(
        60.0,
        0,
        100,
        "CPU load, in per cent of all cores, up to which the device is idle enough to prepare views ahead.",
    )
    power_modes: str = Field(
        default="",
        description="Power modes (nvpmodel) in which training may run, by name; empty: any.",
        json_schema_extra={"allowed": "names such as 15W, MAXN, or empty"},
    )


class StrategySettings(Section):
    """How ultralytics trains when `training.strategy` or `train --strategy` names one of the article's four."""

    epochs: int = number(10, 1, 1000, "Passes over the training images.")
    batch: int = number(16, 1, 512, "Images per step.")
    learning_rate: float = number(0.001, 1e-7, 1, "Learning rate (AdamW) of scratch, all and new.")
    finetune_learning_rate: float = number(
        0.0002, 1e-7, 1, "Learning rate (AdamW) of finetune, which trains the head alone."
    )


class PromotionSettings(Section):
    """What a challenger must show, and keep, in order to replace the champion."""

    min_probability: float = number(
        0.5,
        0.5,
        0.999,
        "Probability (0.5 to 0.999) that the challenger truly is better, from answers that neither it nor the champion "
        "has learned; each moment counts once, and every session alike.",
    )
    max_recall_loss: float = number(0.05, 0, 1, "Recall (0 to 1) that any one class may lose to a better model.")
    min_class_images: int = number(10, 1, 100_000, "Moments from which the recall of a class can veto a promotion.")


class WatchSettings(Section):
    """How long a new champion is watched, and when it has to give way to the one before it."""

    enabled: bool = Field(
        default=True, description="Roll a new champion back when your labels show that it is worse (true or false)."
    )
    hours: float = number(72.0, 0.01, 8760, "Longest watch over a new champion, in hours.")
    labels: int = number(50, 1, 100_000, "Labels after which the watch is over.")
    min_probability: float = number(
        0.98,
        0.5,
        0.999,
        "Probability (0.5 to 0.999) that the champion before was better, from which it comes back; at 0.98, five "
        "frames that only it is right about are enough, if there are none the other way round.",
    )
