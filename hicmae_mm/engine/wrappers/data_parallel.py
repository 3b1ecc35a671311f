"""Data parallelism: every rank has the whole model, and gradients are averaged once for each optimizer step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from hicmae_mm.registry import MODEL_WRAPPERS


def takes_incomplete_clips(module: nn.Module) -> bool:
    """Checks whether a model accepts clips without some streams, so that its used parameters differ between batches.

    Args:
        module: The model, without a wrapper.

    Returns:
        Whether it does.
    """
    return getattr(module, 'missing_streams', 'error') != 'error'


@MODEL_WRAPPERS.register_module()
class DataParallelModel(MMDistributedDataParallel):
    """Extends MMEngine's ``MMDistributedDataParallel`` by options that suit the models of this package.

    Gradients are averaged in buckets during the backward pass, and are stored in the buckets themselves. The graph is
    declared static, so that no step has to search for unused parameters. Exceptions are ``find_unused_parameters`` and
    models that accept clips without some streams, because their graph can change. Between two optimizer steps
    (``optim_wrapper.accumulative_counts``) no gradients are sent. Only the first iteration of a static graph sends
    them, because the reducer must record the whole graph.

    Args:
        module: The model.
        device_ids: The GPU of this process. None on a CPU.
        find_unused_parameters: Whether every step searches for parameters without a gradient.
        static_graph: Whether every step uses the same parameters. None means True unless the graph can change.
        bucket_cap_mb: Size of a bucket in MiB. None means 25, and 1 for the first bucket.
        gradient_as_bucket_view: Whether gradients are stored in the buckets instead of being copied to them. This saves
            the memory of all gradients.
        broadcast_buffers: Whether the first rank sends its buffers before every step. Only batch norm needs it.
        detect_anomalous_params: Whether to log parameters without a gradient, for debugging.

    Raises:
        ValueError: If ``static_graph`` is True for a graph that can change.
    """

    def __init__(
        self,
        module: nn.Module,
        device_ids: Sequence[int] | None = None,
        find_unused_parameters: bool = False,
        static_graph: bool | None = None,
        bucket_cap_mb: float | None = None,
        gradient_as_bucket_view: bool = True,
        broadcast_buffers: bool = False,
        detect_anomalous_params: bool = False,
    ) -> None:
        may_change = find_unused_parameters or takes_incomplete_clips(module)
        if static_graph and may_change:
            cause = 'find_unused_parameters=True' if find_unused_parameters else "the model's missing_streams='zero'"
            raise ValueError(
                f'static_graph=True contradicts {cause}: which parameters a step uses may change. Leave '
                'model_wrapper_cfg.static_graph out'
            )
        super().__init__(
            module,
            detect_anomalous_params=detect_anomalous_params,
            device_ids=device_ids,
            find_unused_parameters=find_unused_parameters,
            static_graph=not may_change if static_graph is None else static_graph,
            bucket_cap_mb=bucket_cap_mb,
            gradient_as_bucket_view=gradient_as_bucket_view,
            broadcast_buffers=broadcast_buffers,
        )
        self._has_trained = False

    def train_step(self, data: Any, optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
        """Runs one training iteration, and an optimizer step after the last accumulated iteration.

        Args:
            data: The batch.
            optim_wrapper: The optimizer wrapper.

        Returns:
            Losses for the log.
        """
        losses: dict[str, Tensor] = super().train_step(data, optim_wrapper)
        self._has_trained = True
        return losses

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Prevents that gradients of a forward pass in this context are sent, except in the first iteration.

        The reducer must record a static graph in the first iteration. Its gradient is then averaged twice, which
        changes nothing, because it is the same on all ranks after the first time.

        Yields:
            Nothing.
        """
        if self.static_graph and not self._has_trained:
            yield
            return
        with super().no_sync():
            yield
