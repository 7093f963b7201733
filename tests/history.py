"""What the history of posture adds up to, read past the product, which only writes it so far."""

from sqlalchemy import func, select

from posture_daemon.store import Store
from posture_daemon.store.schema import PeriodRow


def seconds_by_posture(store: Store) -> dict[str, float]:
    """Seconds of each posture."""
    seconds = func.sum(PeriodRow.ended_at - PeriodRow.started_at)
    with store.database.read() as session:
        found = session.execute(select(PeriodRow.posture, seconds).group_by(PeriodRow.posture)).all()
    return {posture: float(total) for posture, total in found}
