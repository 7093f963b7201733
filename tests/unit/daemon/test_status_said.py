"""What the daemon tells of itself: who answers now, in the words of the one that learns today's answers."""

from types import SimpleNamespace
from typing import Any

from posture_daemon.daemon.lifecycle import Daemon
from posture_daemon.daemon.maintenance import Maintenance
from posture_daemon.learning.recalibrate import Recalibrator
from posture_daemon.service.daemon_status import CameraSaid, FrameCounts, OnlineState
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from tests.fakes.backbone import StandInBackbone
from tests.fakes.probe import StandInProbe


def daemon_with(store: Store, online: Any) -> Daemon:
    """A daemon that has seen nothing yet, with this learner of today's answers."""
    settings = Settings(data_dir=store.folder)
    loop = SimpleNamespace(last=None, state=None, last_captured_at=None, step_s=0.0, counts=FrameCounts(), routed={})
    recalibrator = Recalibrator(store, lambda _version: StandInBackbone(), settings)
    parts: Any = SimpleNamespace(
        settings=settings,
        store=store,
        source=SimpleNamespace(state=CameraSaid("desk")),
        live=SimpleNamespace(version=SimpleNamespace(id=3)),
        loop=loop,
        upkeep=Maintenance(store, recalibrator, settings),
        away=lambda: None,
        preparer=SimpleNamespace(run=lambda: None),
        probe=StandInProbe(),
        online=online,
        page=None,
        supervisor=None,
    )
    return Daemon(parts, clock=lambda: 1000.0, monotonic=lambda: 1000.0)


def test_it_tells_who_answers_now(store: Store) -> None:
    """As it is at this moment: before the first answer the model, then what was learned today."""
    online = SimpleNamespace(state=OnlineState())
    daemon = daemon_with(store, online)
    assert daemon.status().online == OnlineState(0, False, "nothing was answered today, so the model answers")
    online.state = OnlineState(5, True, "learned from 5 answers today")
    assert daemon.status().online == online.state
