"""Refits of the softmax temperature of model versions, with the calibration error before and after."""

from sqlalchemy import select

from posture_daemon.domain import Calibration
from posture_daemon.store.database import Repository
from posture_daemon.store.models import champion_id_in
from posture_daemon.store.schema import CalibrationRow, VersionRow


class Calibrations(Repository):
    """The record of refits. The temperature in use is that of the version itself."""

    def apply(self, found: Calibration) -> bool:
        """Set the version's temperature and record the refit, in one commit.

        Only if the version is champion and still has the temperature that the refit started from; returns whether it did.
        """
        with self._database.write() as session:
            version = session.get_one(VersionRow, found.version_id)
            if champion_id_in(session) != found.version_id or version.temperature != found.temperature_before:
                return False
            version.temperature = found.temperature
            session.add(CalibrationRow(**vars(found)))
            return True

    def of(self, version_id: int) -> list[Calibration]:
        """All refits of a version, newest first."""
        query = select(CalibrationRow).where(CalibrationRow.version_id == version_id).order_by(CalibrationRow.id.desc())
        with self._database.read() as session:
            rows = list(session.scalars(query))
        return [Calibration(**{name: getattr(row, name) for name in Calibration.__dataclass_fields__}) for row in rows]
