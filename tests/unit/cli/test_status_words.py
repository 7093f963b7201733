"""What `status` prints of who answers now."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from posture_daemon.cli import app
from posture_daemon.cli.context import console
from posture_daemon.service.daemon_status import DaemonStatus, OnlineState, write_status
from posture_daemon.store import Store
from posture_daemon.store.lock import exclusive
from posture_daemon.store.status_file import LOCK_NAME
from tests.builders import add_version, random_head


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is broken, whatever COLUMNS was when the tests began: rich reads it once, as the console is made."""
    monkeypatch.setattr(console, "width", 300)


def answers(folder: Path, status: DaemonStatus) -> list[str]:
    """The lines named `answers` that the command prints while a daemon says this."""
    write_status(folder, status)
    with exclusive(folder / LOCK_NAME):
        shown = CliRunner().invoke(app, ["--data-dir", str(folder), "status"])
    assert shown.exit_code == 0, shown.output
    named = (line.partition(" ") for line in shown.output.splitlines())
    return [words.strip() for name, _, words in named if name == "answers"]


@pytest.mark.parametrize(
    "state",
    [
        OnlineState(),
        OnlineState(1, False, "1 answer today, but of one class only so far, so the model answers"),
        OnlineState(5, True, "learned from 5 answers today"),
    ],
    ids=["no answer", "one class", "learned"],
)
def test_status_says_who_answers(store: Store, state: OnlineState) -> None:
    """A line of its own, in the words of the daemon."""
    [said] = answers(store.folder, DaemonStatus(pid=1, online=state))
    assert said == state.why


def test_an_older_daemon_has_no_such_line(store: Store) -> None:
    """What it does not say is not made up."""
    assert answers(store.folder, DaemonStatus(pid=1)) == []


@pytest.mark.parametrize(
    ("report", "promise"),
    [
        (
            {"moments": 20, "new_day": {"top1": 0.65, "sure_and_wrong": 0.0, "images": 90, "sessions": 4}},
            "expect 65% right",
        ),
        ({"moments": 20}, "not known before it has learned two"),
        ({"views": 4}, None),
        (None, None),
    ],
    ids=["left-out days", "one day", "of an older version", "imported"],
)
def test_a_promise_is_told_for_the_days_that_it_holds_for(
    store: Store, report: dict[str, object] | None, promise: str | None
) -> None:
    """From left-out days, or that there is none; nothing is made up of a model whose record says nothing of it."""
    metrics = {} if report is None else {"report": report}
    version = add_version(store, random_head(2), "0" * 64, "good", "bad", metrics=metrics)
    store.models.promote(version.id, 0.0)
    shown = CliRunner().invoke(app, ["--data-dir", str(store.folder), "status"])
    assert shown.exit_code == 0, shown.output
    [line] = [line for line in shown.output.splitlines() if line.startswith("champion")]
    assert promise in line if promise else "day" not in line
