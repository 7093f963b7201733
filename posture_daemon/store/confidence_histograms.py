"""Histogram of the confidence on live frames, per model version; updated once a minute."""

from collections.abc import Mapping, Sequence

from sqlalchemy import select

from posture_daemon.store.database import Repository
from posture_daemon.store.schema import ConfidenceRow

BUCKETS = 10
"""Bucket i counts confidences from i/10 to (i + 1)/10."""


class Confidences(Repository):
    """Histograms of `BUCKETS` counts per version."""

    def add(self, tallies: Mapping[int, Sequence[int]]) -> None:
        """Add counts per bucket, by version, in one commit."""
        with self._database.write() as session:
            for version_id, tally in tallies.items():
                for bucket, frames in enumerate(tally):
                    row = session.get(ConfidenceRow, (version_id, bucket))
                    before = 0 if row is None else row.frames
                    session.merge(ConfidenceRow(version_id=version_id, bucket=bucket, frames=before + frames))

    def of(self, version_id: int) -> tuple[int, ...]:
        """Frames per bucket over the life of this version, lowest confidence first."""
        query = select(ConfidenceRow.bucket, ConfidenceRow.frames).where(ConfidenceRow.version_id == version_id)
        with self._database.read() as session:
            found = {row.bucket: row.frames for row in session.execute(query)}
        return tuple(found.get(bucket, 0) for bucket in range(BUCKETS))
