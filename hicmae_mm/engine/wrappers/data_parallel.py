"""A whole model on every rank: gradients are averaged once per optimizer step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from hicmae_mm.registry import MODEL_WRAPPERS


def takes_incomplete_clips(module: nn.Module) -> bool:
    """Whether the parameters that a model uses depend on which streams the clips of a batch have."""
    return getattr(module, 'missing_streams', 'error') != 'error'


@MODEL_WRAPPERS.register_module()
class DataParallelModel(MMDistributedDataParallel):
    """MMEngine's ``MMDistributedDataParallel`` with the options that suit models of this package.

    Gradients are averaged in buckets, while the backward pass still runs, and live in the buckets themselves. The
    graph is declared static, which spares the search for parameters that a step did not use, unless it may change:
    with ``find_unused_parameters``, or in a model that takes clips without some stream. Between two optimizer steps
    (``optim_wrapper.accumulative_counts``) nothing is sent, but for the first iteration of a static graph, whose
    reducer has to see it whole.

    Args:
        module: The model.
        device_ids: The GPU of this process; None on a CPU.
        find_unused_parameters: Search every step for parameters without a gradient.
        static_graph: Whether every step uses the same parameters. Defaults to None: if it is certain.
        bucket_cap_mb: Size of a bucket in MiB, except the first, which has 1. A number holds for the
            first as well. Defaults to None: 25.
        gradient_as_bucket_view: Keep gradients in the buckets instead of copying them there, which saves the
            memory of all gradients.
        broadcast_buffers: Send the buffers of the first rank before every step; only batch norm needs it.
        detect_anomalous_params: Log parameters without a gradient, for debugging.

    Raises:
        ValueError: ``static_graph=True`` for a graph that may change.
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
        """One iteration, and an optimizer step where one is due; losses for the log."""
        losses: dict[str, Tensor] = super().train_step(data, optim_wrapper)
        self._has_trained = True
        return losses

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Sends no gradients for a forward pass run in this context, unless a static graph has not been seen yet.

        Averaging that first gradient twice changes nothing: it is the same on all ranks by then.
        """
        if self.static_graph and not self._has_trained:
            yield
            return
        with super().no_sync():
            yield
