"""Ultralytics' trainer for classification, able to go on exactly where another one stopped.

Ultralytics can resume by itself, but not exactly: its `last.pt` keeps the average of the weights in half precision instead of
the weights, and neither the gradients that were not applied yet nor the state of the random generators.

Imports ultralytics, so only `fit_child` may import this.
"""

from pathlib import Path
from typing import Any

import torch
from ultralytics.models.yolo.classify import ClassificationTrainer
from ultralytics.utils.torch_utils import strip_optimizer

from posture_daemon.adapters.strategies.checkpoint import random_state, set_random_state

MAX_RETRIES = 3
"""As many as ultralytics makes by itself when memory runs out, each with half the batch."""


class ResumableTrainer(ClassificationTrainer):  # type: ignore[misc, unused-ignore]
    """Give it what `state()` of an earlier one said after an epoch, or nothing. It empties that once it has gone on from it."""

    def __init__(self, found: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        self._found = found
        self._batch = self._stepped = -1  # batches are counted from the first epoch on, as ultralytics does
        self._accumulate, self._delay = 1, 0
        super().__init__(*args, **kwargs)

    @property
    def accumulate(self) -> int:
        """Batches from one step of the optimizer to the next.

        Ultralytics keeps the batch of the last step in a local variable that begins at -1. When it was another one, the first
        step after resuming comes at the right batch because this is larger until then.
        """
        return self._accumulate + self._delay

    @accumulate.setter
    def accumulate(self, batches: int) -> None:
        self._accumulate = batches

    def state(self) -> dict[str, Any]:
        """All that the epochs to come depend on. To be asked at the end of an epoch."""
        done = self.epoch + 1 >= self.epochs
        stopper = self.stopper
        return {
            "epoch": self.epoch,
            "model": self.model.state_dict(),
            "ema": self.ema.ema.state_dict(),
            "updates": self.ema.updates,
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "gradients": {name: p.grad for name, p in self.model.named_parameters() if p.grad is not None},
            "stepped": self._stepped,
            "best_fitness": None if self.best_fitness is None else float(self.best_fitness),
            "stopper": [float(stopper.best_fitness), int(stopper.best_epoch), bool(stopper.possible_stop)],
            "random": random_state(),
            # without validation, whatever epoch is the last one will be the best
            "files": {"best": _stripped(self.best)} if self.args.val and not done else {},
            "results": {"best": _stripped(self.best), "last": _stripped(self.last)} if done else {},
        }

    def optimizer_step(self) -> None:
        """From here on, ultralytics' own variable is right again."""
        super().optimizer_step()
        self._stepped, self._delay = self._batch, 0

    def preprocess_batch(self, batch: Any) -> Any:
        """Called once for each batch of the training."""
        self._batch += 1
        return super().preprocess_batch(batch)

    def _do_train(self, *args: Any) -> None:
        if not self._found.get("results"):
            super()._do_train(*args)
            return
        self._setup_train(*args)  # all epochs are done: only the last look at the results is missing
        self.epoch = self._found["epoch"]
        self._found.clear()
        self.final_eval()
        self.run_callbacks("on_train_end")

    def _setup_train(self, *args: Any) -> None:
        super()._setup_train(*args)
        if not self._found:
            return
        found = self._found
        self.model.load_state_dict(found["model"])
        self.ema.ema.load_state_dict(found["ema"])
        self.ema.updates = found["updates"]
        self.optimizer.load_state_dict(found["optimizer"])
        self.scaler.load_state_dict(found["scaler"])
        self.best_fitness = found["best_fitness"]
        self.stopper.best_fitness, self.stopper.best_epoch, self.stopper.possible_stop = found["stopper"]
        self.start_epoch = found["epoch"] + 1
        self.scheduler.last_epoch = found["epoch"]
        for name, content in {**found["files"], **found["results"]}.items():
            (self.wdir / f"{name}.pt").write_bytes(content.numpy().tobytes())

    def _model_train(self) -> None:
        """Begin an epoch. In the first one after resuming, what ultralytics did since `_setup_train` is undone."""
        super()._model_train()
        self._batch = len(self.train_loader) * self.epoch - 1
        if self.epoch == self.start_epoch:
            self._oom_retries = MAX_RETRIES  # whoever started this makes the next training smaller, and says so
        if self._found:
            self._go_on(self._found)
            self._found.clear()

    def _go_on(self, found: dict[str, Any]) -> None:
        for name, parameter in self.model.named_parameters():
            if name in found["gradients"]:
                parameter.grad = found["gradients"][name].to(parameter.device)
        self._stepped, self._delay = found["stepped"], found["stepped"] + 1
        _skip(self.train_loader, self.start_epoch)
        _skip(self.test_loader, self.start_epoch if self.args.val else 0)
        set_random_state(found["random"])


def _skip(loader: Any, epochs: int) -> None:
    """Draw the order of the pictures of these epochs from the loader's own generator, without opening a picture.

    The loader goes round endlessly with one iterator, so to restore its generator would not do: whether it has drawn the next
    order already depends on the last batch being full.
    """
    if loader.iterator is None:
        loader.iterator = loader._get_iterator()
    for _ in range(epochs * len(loader)):
        loader.iterator._next_index()


def _stripped(path: Path) -> torch.Tensor:
    """The bytes of a file of ultralytics as it leaves it at the end: without the state of the optimizer."""
    small = path.with_suffix(".stripped")
    strip_optimizer(path, s=str(small))
    content = bytearray(small.read_bytes())
    small.unlink()
    return torch.frombuffer(content, dtype=torch.uint8)
