"""The training loop that `train` and `distill` share: one process or many, through Lightning Fabric.

In: a network in its trainee module, a criterion, a data source, a recipe. Out: a run folder.

The samples of a step, their augmentation and the learning rate depend only on the seed and the step. A resumed run
therefore continues as if it had never stopped, and the number of processes changes only rounding.
"""

import contextlib
import copy
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.data import DataLoader

from coevoer_edge.data.record import Record, RecordSource, StagedSource
from coevoer_edge.errors import CheckFailed, InputError
from coevoer_edge.model import CoEvoer
from coevoer_edge.model.embedding import TrunkEmbedding
from coevoer_edge.terminal.console import Steps
from coevoer_edge.training.augment import Augmenter
from coevoer_edge.training.optimizers import make_optimizers, set_learning_rate
from coevoer_edge.training.recipe import TrainingRecipe
from coevoer_edge.training.run_folder import RunFolder
from coevoer_edge.training.schedule import Batches, Order, StepSampler, learning_rate

Evaluate = Callable[[CoEvoer], dict[str, float]]
"""Computes figures of a network on validation data, which `Trainer` logs every `evaluate_every` steps."""


_STOPPING = b"\nStopping after this step and writing a checkpoint. Interrupt again to stop immediately.\n"


class Criterion(Protocol):
    """The loss that a run minimises."""

    def __call__(self, predictions: Any, record: Record, indices: list[int]) -> dict[str, Tensor]:
        """Named terms and `total` for the trainee's predictions from `record.image`."""


@dataclass(frozen=True)
class RunOptions:
    """Options set by the command line and not by the recipe."""

    seed: int = 0
    purpose: str = "train"
    num_workers: int = 0
    compile: bool = False
    max_minutes: float = math.inf
    enhancer: bool = True
    foreground: bool = True


@dataclass
class _Interval:
    """Sums since the last line of the log."""

    started: float
    steps: int = 0
    terms: dict[str, Tensor] = field(default_factory=dict)

    def add(self, losses: dict[str, Tensor]) -> None:
        self.steps += 1
        for name, value in losses.items():
            self.terms[name] = self.terms.get(name, 0) + value.detach()


class Trainer:
    """Trains one network.

    Args:
        fabric: already launched, with the recipe's precision.
        trainee: the network and everything else that is trained with it; its attribute `network` is the network.
        criterion: the loss, already on the device.
        augmenter: the augmentation, already on the device.
        source: the source of the samples.
        recipe, options: how to train.
        folder: the run folder, new or with a checkpoint to resume from.
        evaluate: called on the first process with the weights that would be written.
        steps: reports progress.
    """

    def __init__(
        self,
        fabric: Fabric,
        trainee: nn.Module,
        criterion: Criterion,
        augmenter: Augmenter,
        source: RecordSource,
        recipe: TrainingRecipe,
        folder: RunFolder,
        options: RunOptions,
        evaluate: Evaluate | None = None,
        steps: Steps | None = None,
    ) -> None:
        if recipe.batch_size % fabric.world_size:
            raise InputError(
                f"Batch size {recipe.batch_size} is not a multiple of the number of processes, {fabric.world_size}; "
                "change --batch-size or --devices."
            )
        self.fabric, self.recipe, self.folder, self.options = fabric, recipe, folder, options
        self.criterion, self.augmenter, self.source, self.evaluate = criterion, augmenter, source, evaluate
        # On a CPU the loader's processes render whole batches; a GPU is shared by rendering and training.
        self._staged = source if isinstance(source, StagedSource) and fabric.device.type != "cpu" else None
        self.steps = steps or Steps(1, quiet=True)
        self.trainee = trainee
        network: CoEvoer = trainee.network  # type: ignore[assignment]
        self._shipped = copy.deepcopy(network).eval()  # the weights that are written and evaluated
        if recipe.freeze_trunk and isinstance(embedding := network.encoder.patch_embed, TrunkEmbedding):
            embedding.trunk.requires_grad_(False)
        self._bare_optimizers = make_optimizers(trainee, network, recipe)
        made = cast(nn.Module, torch.compile(trainee)) if options.compile else trainee
        self.module, *self.optimizers = fabric.setup(made, *self._bare_optimizers)
        self.network = network
        self.ema = {key: value.detach().clone() for key, value in network.state_dict().items()}
        self.step = 0
        self._seconds = 0.0
        self._latest = ""
        self._asked_to_stop = False

    def resume(self) -> None:
        """Restore the state of the folder's checkpoint."""
        state = self.folder.load()
        self.trainee.load_state_dict(state["trainee"])
        for optimizer, saved in zip(self._bare_optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        for key, value in state["ema"].items():
            self.ema[key].copy_(value)
        torch.set_rng_state(state["rng"])
        self.step, self._seconds = state["step"], state["seconds"]
        if self.fabric.is_global_zero:
            self.folder.rewind(self.step)

    def fit(self, until: int | None = None) -> int:
        """Train to the recipe's last step, to step `until`, or until a stop is requested; return the step reached.

        Raises:
            CheckFailed: the loss is no longer finite.
        """
        last = min(self.recipe.steps, until if until is not None else self.recipe.steps)
        began, first, saved = time.perf_counter(), self.step, -1
        self.trainee.train()
        interval = _Interval(time.perf_counter())
        progress = self.steps.track(range(first, last), lambda step: self._label(step))
        with self._stopping_on_signals(), self._attention(), contextlib.closing(progress):  # type: ignore[type-var]
            for (indices, record), _ in zip(self._batches(first, last), progress, strict=True):
                interval.add(self._train_step(record, indices))
                due = _Due(self.recipe, self.step, last)
                stop = self._stop(time.perf_counter() - began > self.options.max_minutes * 60)
                if due.log or due.checkpoint or stop:
                    interval = self._log(interval, began)
                if due.checkpoint or stop:
                    self._save(self._seconds + time.perf_counter() - began, due.keep)
                    saved = self.step
                if due.evaluate:
                    self._evaluate()
                if stop:
                    break
        self._seconds += time.perf_counter() - began
        if saved != self.step:
            self._save(self._seconds, keep=False)
        return self.step

    def shipped(self) -> CoEvoer:
        """The network in eval mode with the weights that are written: the average if the recipe averages weights."""
        self._shipped.load_state_dict(self.ema if self.recipe.ema_decay else self.network.state_dict())
        return self._shipped

    def _batches(self, first: int, last: int) -> Iterator[tuple[list[int], Any]]:
        order = Order(len(self.source), self.options.seed)
        fabric, workers = self.fabric, self.options.num_workers
        sampler = StepSampler(order, self.recipe.batch_size, first, last, fabric.global_rank, fabric.world_size)
        loader = DataLoader(
            Batches(self.source, staged=self._staged is not None),
            batch_size=None,  # the sampler yields whole batches
            sampler=sampler,
            num_workers=workers,
            collate_fn=_as_it_is,  # type: ignore[arg-type]  # with whole batches it receives the dataset's item
            pin_memory=workers > 0 and fabric.device.type == "cuda",
            prefetch_factor=4 if workers else None,
        )
        self._sampler = sampler
        return iter(loader)

    def _train_step(self, loaded: Any, indices: list[int]) -> dict[str, Tensor]:
        record: Record = loaded if self._staged is None else self._staged.finish(loaded)
        set_learning_rate(self.optimizers, self.recipe, self.step)
        with torch.no_grad():
            record = self.augmenter(record.to(self.fabric.device), self._sampler.positions(self.step))
        losses = self.criterion(self.module(record.image), record, indices)
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        self.fabric.backward(losses["total"])
        if self.recipe.clip_norm > 0:
            self.fabric.clip_gradients(
                self.module, self.optimizers[0], max_norm=self.recipe.clip_norm, error_if_nonfinite=False
            )
        for optimizer in self.optimizers:
            optimizer.step()
        if self.recipe.ema_decay:
            self._average_weights()
        self.step += 1
        return losses

    @torch.no_grad()
    def _average_weights(self) -> None:
        """EMA with a lower decay in the first steps, so that the average does not retain the random initial weights."""
        decay = min(self.recipe.ema_decay, (1 + self.step) / (10 + self.step))
        current = self.network.state_dict()
        torch._foreach_lerp_(list(self.ema.values()), [current[key] for key in self.ema], 1 - decay)

    def _log(self, interval: _Interval, began: float) -> _Interval:
        """Check that the loss is finite, write a line to the log and begin the next interval."""
        if not interval.steps:
            return interval
        means = torch.stack(list(interval.terms.values())) / interval.steps
        if self.fabric.world_size > 1:
            means = self.fabric.all_reduce(means, reduce_op="mean")  # type: ignore[assignment]
        values = dict(zip(interval.terms, means.tolist(), strict=True))
        now = time.perf_counter()
        batch = self.recipe.batch_size
        rate = interval.steps * batch / max(now - interval.started, 1e-9)
        line = {
            "step": self.step,
            "samples": self.step * batch,
            "lr": learning_rate(self.recipe, self.step - 1),
            **values,
            "images_per_second": round(rate, 2),
            "seconds": round(self._seconds + now - began, 2),
        }
        if broken := [name for name, value in values.items() if not math.isfinite(value)]:
            raise CheckFailed(
                f"The loss became non-finite between steps {self.step - interval.steps} and {self.step} "
                f"({', '.join(broken)}); the files of the last checkpoint are unchanged. Start a run from its weights "
                "(--init) with a lower lr or clip_norm in the recipe, or with --precision fp32."
            )
        self._latest = f"loss {values['total']:.4f}, {rate:.0f} images/s"
        if self.fabric.is_global_zero:
            self.folder.log(line)
        return _Interval(time.perf_counter())

    def _save(self, seconds: float, keep: bool) -> None:
        if self.fabric.is_global_zero:
            state = {
                "step": self.step,
                "seconds": seconds,
                "trainee": self.trainee.state_dict(),
                "optimizers": [optimizer.state_dict() for optimizer in self._bare_optimizers],
                "ema": self.ema,
                "rng": torch.get_rng_state(),
                "recipe": self.recipe.table(),
                "seed": self.options.seed,
                "purpose": self.options.purpose,
                "model": self.network.name,
                "enhancer": self.options.enhancer,
                "foreground": self.options.foreground,
            }
            self.folder.save(state, keep)
            self.folder.save_weights(self.shipped(), enhancer=self.options.enhancer, foreground=self.options.foreground)
            self.folder.draw_curves()
        self.fabric.barrier()

    def _evaluate(self) -> None:
        if self.evaluate is not None and self.fabric.is_global_zero:
            with torch.no_grad():
                figures = self.evaluate(self.shipped())
            self.folder.log({"step": self.step, **{f"evaluation/{name}": value for name, value in figures.items()}})
            self.steps.note(", ".join(f"{name} {value:.4g}" for name, value in figures.items()))
        self.fabric.barrier()

    def _label(self, step: int) -> str:
        return f"step {step + 1} of {self.recipe.steps} {self._latest}"

    def _stop(self, out_of_time: bool) -> bool:
        """Whether any process should stop; all processes must stop together, or they would wait for each other."""
        stop = self._asked_to_stop or out_of_time
        if self.fabric.world_size == 1:
            return stop
        votes: Tensor = self.fabric.all_reduce(  # type: ignore[assignment]
            torch.tensor(float(stop), device=self.fabric.device), reduce_op="sum"
        )
        return bool(votes > 0)

    @contextlib.contextmanager
    def _attention(self) -> Iterator[None]:
        """On a CPU, compute bf16 attention as two products: the fused kernel's backward takes three times as long."""
        if self.fabric.device.type != "cpu" or self.recipe.precision != "bf16":
            yield
            return
        before = torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()  # type: ignore[no-untyped-call]
        torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(True)  # applies to every device despite its name
        try:
            with sdpa_kernel(SDPBackend.MATH):
                yield
        finally:
            torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(before)

    @contextlib.contextmanager
    def _stopping_on_signals(self) -> Iterator[None]:
        """Stop with a checkpoint after the current step on SIGTERM or Ctrl-C; a second signal stops immediately."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

        def ask(number: int, frame: object) -> None:
            self._asked_to_stop = True
            signal.signal(number, before[number])  # a second signal takes effect immediately
            if self.fabric.is_global_zero:
                os.write(2, _STOPPING)  # a handler must not re-enter a print that it interrupted

        for number in before:
            signal.signal(number, ask)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _Due:
    """The actions that are due after a step."""

    def __init__(self, recipe: TrainingRecipe, step: int, last: int) -> None:
        def every(interval: int) -> bool:
            return interval > 0 and step % interval == 0

        self.log = every(recipe.log_every) or step == last
        self.keep = every(recipe.keep_every)
        self.checkpoint = every(recipe.checkpoint_every) or self.keep or step == last
        self.evaluate = every(recipe.evaluate_every) or (recipe.evaluate_every > 0 and step == last)


def _as_it_is(batch: tuple[list[int], Any]) -> tuple[list[int], Any]:
    return batch
