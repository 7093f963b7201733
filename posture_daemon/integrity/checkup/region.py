"""The check of the region: whether it is for the camera in use, and what the champion looks at."""

from collections.abc import Iterator

from posture_daemon.integrity.checkup.finding import Finding, fine, note
from posture_daemon.settings import Settings
from posture_daemon.store import Store


def of_another_camera(settings: Settings) -> Iterator[Finding]:
    """A region that was drawn for another camera, and so does not count."""
    camera = settings.camera
    if camera.region_is_of_another:
        yield note(
            "region",
            f"{camera.region} was drawn for the camera {camera.region_camera}, so the whole picture is looked at; "
            "posture-daemon region propose finds one for this camera",
        )


def region(store: Store, settings: Settings) -> Iterator[Finding]:
    """What the champion looks at, where that is not the whole picture as the settings say."""
    champion, wanted = store.models.champion(), settings.camera.seen
    if champion is None or (champion.region is None and wanted is None):
        return
    if champion.region == wanted:
        yield fine("region", f"models look at {wanted} of the picture")
        return
    now, then = ("the whole picture" if one is None else f"{one} of the picture" for one in (champion.region, wanted))
    yield note("region", f"model {champion.id} looks at {now}; the next training looks at {then}")
