"""What `models show` prints of a model that an older version made."""

import io

from rich.console import Console

from posture_daemon.cli import show_model
from tests.builders import random_head, version_of


def test_settings_of_old_names_are_shown_by_todays() -> None:
    """So that two models compare line by line, whichever version made them."""
    settings = {"training": {"views": 4, "cache_mb": 500.0}}
    unknown = {
        "labels": {"frame_ids": None, "sha256": None},
        "seconds": None,
        "peak_memory_bytes": None,
        "software": {},
    }
    lineage = {"strategy": "replay", "seed": 0, "settings": settings, **unknown}
    version = version_of(random_head(2), "b", parent_id=1, lineage=lineage)
    text = io.StringIO()
    show_model.model(Console(file=text, width=120), version, None, None, None)
    assert "views 4, max_cache_mb 500.0" in text.getvalue()
