"""Checks of all model files against their digests, and for unneeded files."""

from collections.abc import Callable, Iterator

from posture_daemon.domain import MB, ModelVersion
from posture_daemon.errors import ModelError
from posture_daemon.integrity.checkup.finding import Finding, few, fine, note, problem
from posture_daemon.integrity.model_recovery import answering, mend
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from posture_daemon.store.model_files import sweep, unneeded
from posture_daemon.store.restore import many
from posture_daemon.training.starter_root import drawn_people_warning


def models(store: Store, now: float) -> Iterator[Finding]:
    """Damaged versions. A damaged champion is repaired or replaced, another one repaired if a copy exists."""
    champion, previous = store.models.champion(), store.models.previous()
    if champion is None:
        yield note("models", "there is none yet; the first start installs the starter")
        return
    versions = [version for version in store.models.all() if version.files_removed_at is None]
    damaged = [version for version in versions if store.models.damage(version)]
    for version in damaged:
        what = "the champion" if version.id == champion.id else "the one before it" if version == previous else "unused"
        files = few([path.name for path in store.models.damage(version)])
        text = f"model {version.id}, {what}, is damaged: {files}"
        if version.id == champion.id:
            yield problem("models", text, _champion_mender(store, version, now))
        else:
            yield (problem if version == previous else note)("models", text, _mender(store, version))
    if not damaged:
        yield fine("models", f"the files of {many(len(versions), 'model')} are sound; model {champion.id} is champion")


def drawn_people(store: Store, settings: Settings) -> Iterator[Finding]:
    """A champion that has only ever seen drawn people, before a camera that films real ones."""
    warning = drawn_people_warning(store, store.models.champion(), settings.camera.address)
    if warning is not None:
        yield note("starter", warning)


def surplus(store: Store, now: float) -> Iterator[Finding]:
    """Model files that no version refers to."""
    paths = unneeded(store.database, store.models, now)

    def remove() -> str:
        return f"deleted {sweep(store.database, store.models, now) / MB:.1f} MB of model files that no model needs"

    if paths:
        yield note("surplus", f"no model needs {few([path.name for path in paths])}", remove)


def _champion_mender(store: Store, champion: ModelVersion, now: float) -> Callable[[], str]:
    def prove(version: ModelVersion) -> ModelVersion:
        damage = store.models.damage(version)
        if damage:
            raise ModelError(f"The file {damage[0]} is missing or damaged.")
        return version

    def run() -> str:
        answers = answering(store, champion, prove, now)
        if answers.id == champion.id:
            return f"replaced the damaged files of model {champion.id} by sound copies"
        return f"made model {answers.id} ({answers.source}) champion in place of model {champion.id}, which cannot be mended"

    return run


def _mender(store: Store, version: ModelVersion) -> Callable[[], str]:
    def run() -> str:
        names = mend(store, version)
        if names:
            return f"replaced the damaged files of model {version.id} by sound copies: {few(names)}"
        return f"found no sound copy of the files of model {version.id}; it can never be champion, and nothing else suffers"

    return run
