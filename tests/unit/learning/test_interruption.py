"""How a training hears that it must pause or end, and what it does then."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from posture_daemon.domain import Order
from posture_daemon.errors import TrainingCancelled
from posture_daemon.learning.interruption import ORDER, Interruption, give
from tests.children import answered

LONG_S = 200


class Script:
    """A sleep that carries out one step of the test each time the training waits."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        self.steps = list(steps)
        self.slept = 0

    def __call__(self, _seconds: float) -> None:
        """The next step."""
        self.slept += 1
        self.steps.pop(0)()


def test_without_a_word_it_computes(tmp_path: Path) -> None:
    """No order is the order to run, and so is one that nobody understands."""
    orders = Interruption(tmp_path)
    with orders.batch():
        assert answered(tmp_path) is None
    (tmp_path / ORDER).write_text("dance")
    orders.look()


def test_it_pauses_before_a_batch_gives_memory_back_and_goes_on(tmp_path: Path) -> None:
    """It says so once, releases once, and says so again when it goes on."""
    released: list[Order | None] = []
    script = Script(lambda: released.append(answered(tmp_path)), lambda: None, lambda: give(tmp_path, Order.RUN))
    orders = Interruption(tmp_path, lambda: released.append(None), script)
    give(tmp_path, Order.PAUSE)
    with orders.batch():
        assert answered(tmp_path) is Order.RUN
    assert released == [None, Order.PAUSE]
    assert script.slept == 3


def test_it_ends_where_it_stands(tmp_path: Path) -> None:
    """Running or paused; and says that it has heard."""
    orders = Interruption(tmp_path, sleep=Script(lambda: give(tmp_path, Order.END)))
    give(tmp_path, Order.PAUSE)
    with pytest.raises(TrainingCancelled):
        orders.look()
    assert answered(tmp_path) is Order.END
    with pytest.raises(TrainingCancelled), Interruption(tmp_path).batch():
        pytest.fail("it must not compute")


def test_it_has_not_paused_while_another_thread_still_computes(tmp_path: Path) -> None:
    """The memory of a batch is only given back, and the pause only answered, when the last worker has come to its end."""
    computing, may_end = threading.Event(), threading.Event()
    orders = Interruption(tmp_path)

    def work() -> None:
        with orders.batch():
            computing.set()
            assert may_end.wait(LONG_S)

    worker = threading.Thread(target=work)
    worker.start()
    assert computing.wait(LONG_S)
    give(tmp_path, Order.PAUSE)
    seen: list[Order | None] = []

    def first() -> None:
        seen.append(answered(tmp_path))
        may_end.set()
        worker.join(LONG_S)

    def second() -> None:
        seen.append(answered(tmp_path))
        give(tmp_path, Order.RUN)

    orders._sleep = Script(first, second)
    orders.look()
    assert seen == [None, Order.PAUSE]


def test_words_are_replaced_in_one_step(tmp_path: Path) -> None:
    """No other name is left; and what is no word, as after a full disk, is no order."""
    give(tmp_path, Order.PAUSE)
    give(tmp_path, Order.RUN)
    assert [path.name for path in tmp_path.iterdir()] == [ORDER]
    (tmp_path / ORDER).write_text("pau")
    Interruption(tmp_path).look()
