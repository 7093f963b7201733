"""What `models show` prints of a model that an older version made."""

import io

from rich.console import Console

from posture_daemon.cli import show_model
from posture_daemon.domain import ModelVersion


def test_settings_of_old_names_are_shown_by_todays() -> None:
    """So that two models compare line by line, whichever version made them."""
    lineage = {
        "strategy": "replay",
        "seed": 0,
        "settings": {"training": {"views": 4, "cache_mb": 500.0}},
        "labels": {"frame_ids": None, "sha256": None},
        "seconds": None,
        "peak_memory_bytes": None,
        "software": {},
    }
    version = ModelVersion(
        id=2,
        parent_id=1,
        created_at=0.0,
        source="training",
        temperature=1.0,
        backbone_sha256="b",
        head_sha256="h",
        classes=(),
        lineage=lineage,
    )
    text = io.StringIO()
    show_model.model(Console(file=text, width=120), version, None, None, None)
    assert "views 4, max_cache_mb 500.0" in text.getvalue()
