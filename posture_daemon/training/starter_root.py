"""Whether a model has only ever seen drawn people: the starter, and what grew from it. Told wherever such a model answers."""

from posture_daemon.domain import ModelVersion
from posture_daemon.store import Store
from posture_daemon.store.model_copies import STARTER_SOURCE
from posture_daemon.training.strategies import root_of

FAKE = "fake:"
"""Addresses of cameras that film drawn people begin so."""


def drawn_people_only(store: Store, version: ModelVersion) -> bool:
    """True of the starter, and of every version that stems from it."""
    return root_of(store, version).source.startswith(STARTER_SOURCE)


def drawn_people_warning(store: Store, version: ModelVersion | None, camera_address: str) -> str | None:
    """One sentence where this model meets real people: it knows drawn ones only, and the camera is no fake desk."""
    if version is None or camera_address.startswith(FAKE) or not drawn_people_only(store, version):
        return None
    which = "is the starter model, which" if version.parent_id is None else "grew from the starter model, which"
    return (
        f"Model {version.id} {which} has only ever seen drawn people: expect wrong answers about real ones. "
        "Import a base for far better ones: posture-daemon models fetch yolo11n-cls, then posture-daemon models import FILE.pt."
    )
