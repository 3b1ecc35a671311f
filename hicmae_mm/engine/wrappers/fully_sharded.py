"""Fully sharded data parallelism (FSDP): every rank has a part of parameters, gradients and optimizer state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from mmengine.dist import broadcast, is_main_process
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from hicmae_mm.engine.wrappers.data_parallel import takes_incomplete_clips
from hicmae_mm.models.adapters import stored_name
from hicmae_mm.registry import MODEL_WRAPPERS


@MODEL_WRAPPERS.register_module()
class FullyShardedModel(nn.Module):
    """Shards a model over the ranks with PyTorch's ``fully_shard``, for models whose training state is too large.

    The parameters of a unit (a transformer block) are gathered before the unit is used, and freed afterwards. Each rank
    keeps only its shard of the reduced gradients. A step computes the same result as data parallelism. The names of
    parameters do not change. ``state_dict()`` of the module and of the optimizer return whole tensors on the first
    rank, and only their shapes on the other ranks. So checkpoints are the same as those of an unsharded model: they can
    be tested in one process, and resumed with another number of ranks or with :class:`DataParallelModel`.

    The model is whole until :meth:`shard` is called. The runner calls it when a training starts; a test uses the whole
    model. Between two optimizer steps (``optim_wrapper.accumulative_counts``) every rank keeps whole gradients, and
    does not send them.

    Args:
        module: The model.
        units: Names of the classes whose parameters are gathered together, with their subclasses.
        reshard_after_forward: Whether to free gathered parameters after the forward pass and gather them again for the
            backward pass. False needs more memory and sends less data.
        shard_size: Number of ranks that share one copy of the model, for example the ranks of a node. Copies are kept
            equal as in data parallelism. It must divide the number of ranks. None means all ranks.

    Raises:
        ValueError: If the model accepts clips without some streams.
    """

    resume_location: str | None = 'cpu'  # a whole training state may be too large for one device

    def __init__(
        self,
        module: BaseModel,
        units: Sequence[str] = ('Block', 'CrossBlock'),
        reshard_after_forward: bool = True,
        shard_size: int | None = None,
    ) -> None:
        super().__init__()
        if takes_incomplete_clips(module):
            raise ValueError(
                "FullyShardedModel cannot train a model with missing_streams='zero': ranks whose clips lack a stream "
                'would not gather its encoder, and the others would wait for ever. Use DataParallelModel'
            )
        self.module: Any = module
        self.units = (units,) if isinstance(units, str) else tuple(units)
        self.reshard_after_forward = reshard_after_forward
        self.shard_size = shard_size
        self.is_sharded = False

    def prepare_training(self, hooks: Iterable[Hook], init_weights: Callable[[], None]) -> None:
        """Shards the model with its initial weights, so that the optimizer finds the shards.

        Raises:
            ValueError: If a hook needs the whole model, or the model has none of the units.
        """
        self.check_hooks(hooks)
        init_weights()
        self.shard()

    @staticmethod
    def check_hooks(hooks: Iterable[Hook]) -> None:
        """Checks that no hook needs the whole model, for example to copy it or to run it on one rank only.

        Args:
            hooks: The hooks of the runner. Such a hook has ``needs_whole_model = True``.

        Raises:
            ValueError: If there are such hooks; the error names them.
        """
        unfit = [type(hook).__name__ for hook in hooks if getattr(hook, 'needs_whole_model', False)]
        if unfit:
            raise ValueError(
                f'{", ".join(unfit)} cannot work with a FullyShardedModel, because no rank has the whole model: remove '
                'from custom_hooks, or train a DataParallelModel (leave model_wrapper_cfg.type out)'
            )

    def shard(self) -> None:
        """Shards the parameters of the first rank over all ranks. Further calls do nothing.

        Raises:
            ImportError: If PyTorch is older than 2.7.
            ValueError: If the model has none of the units, or ``shard_size`` does not divide the number of ranks.
        """
        if self.is_sharded:
            return
        fully_shard = _fully_shard()
        for value in (*self.module.parameters(), *self.module.buffers()):
            broadcast(value.data)
        units = [
            part for part in self.module.modules() if any(kind.__name__ in self.units for kind in type(part).__mro__)
        ]
        if not units:
            raise ValueError(
                f'the model has no part of the classes {self.units}: set model_wrapper_cfg.units to its blocks'
            )
        options = dict(mesh=self._mesh(), reshard_after_forward=self.reshard_after_forward)
        for part in reversed(units):  # inner units must be sharded before outer ones
            fully_shard(part, **options)
        fully_shard(self.module, **options)
        self.module.register_state_dict_post_hook(_whole_weights)
        self.module.register_load_state_dict_pre_hook(_shard_weights)
        self.is_sharded = True
        share = sum(value.to_local().numel() for value in self.module.parameters())
        print_log(f'Sharded in {len(units) + 1} units: {share / 1e6:.1f} M parameters on the first rank', 'current')

    def _mesh(self) -> Any:
        from torch.distributed.device_mesh import init_device_mesh

        ranks = torch.distributed.get_world_size()
        device = next(self.module.parameters()).device.type
        if self.shard_size is None:
            return init_device_mesh(device, (ranks,))
        if self.shard_size < 1 or ranks % self.shard_size:
            raise ValueError(f'shard_size={self.shard_size} does not divide the {ranks} ranks')
        shape = (ranks // self.shard_size, self.shard_size)
        return init_device_mesh(device, shape, mesh_dim_names=('replicate', 'shard'))

    def adopt(self, optim_wrapper: OptimWrapper) -> None:
        """Lets an optimizer of sharded parameters save and load the state of the whole model.

        Args:
            optim_wrapper: The optimizer wrapper.
        """
        if self.is_sharded:
            optim_wrapper.optimizer.register_state_dict_post_hook(_whole_moments)
            optim_wrapper.optimizer.register_load_state_dict_pre_hook(_shard_moments)

    def take_part_in_saving(self, optim_wrapper: OptimWrapper | None) -> None:
        """Sends the shards of this rank to the first rank, which saves a checkpoint.

        Args:
            optim_wrapper: The optimizer wrapper. None means that the checkpoint does not contain its state.
        """
        if self.is_sharded:
            self.module.state_dict()
            if optim_wrapper is not None:
                optim_wrapper.state_dict()

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the model.

        Args:
            *args: Arguments of the model.
            **kwargs: Arguments of the model.

        Returns:
            Output of the model.
        """
        return self.module(*args, **kwargs)

    def train_step(self, data: Any, optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
        """Runs one training iteration, and an optimizer step after the last accumulated iteration.

        Args:
            data: The batch.
            optim_wrapper: The optimizer wrapper.

        Returns:
            Losses for the log.
        """
        if self.is_sharded:
            self.module.set_requires_gradient_sync(optim_wrapper.should_sync())
        losses: dict[str, Tensor] = self.module.train_step(data, optim_wrapper)
        return losses

    def val_step(self, data: Any) -> list[Any]:
        """Predicts a batch of the validation.

        Args:
            data: The batch.

        Returns:
            One sample with predictions for each clip.
        """
        results: list[Any] = self.module.val_step(data)
        return results

    def test_step(self, data: Any) -> list[Any]:
        """Predicts a batch of the test.

        Args:
            data: The batch.

        Returns:
            One sample with predictions for each clip.
        """
        results: list[Any] = self.module.test_step(data)
        return results


def _fully_shard() -> Any:
    """Imports PyTorch's function here, because older versions of PyTorch lack it."""
    if tuple(int(part) for part in torch.__version__.split('.')[:2]) < (2, 7):
        raise ImportError(f'FullyShardedModel needs PyTorch 2.7 or newer, this is {torch.__version__}')
    from torch.distributed.fsdp import fully_shard

    return fully_shard


def _whole(value: Any) -> Any:
    """Gathers a sharded tensor on the host of the first rank; all ranks must call this function."""
    if not hasattr(value, 'full_tensor'):
        return value
    whole = value.detach().full_tensor()
    return whole.cpu() if is_main_process() else torch.empty_like(whole, device='meta')


def _shard_like(value: Tensor, sharded: Any) -> Tensor:
    """Cuts the shard of this rank out of a whole tensor that every rank has; no data is sent."""
    from torch.distributed.tensor import distribute_tensor

    value = value.to(device=sharded.device, dtype=sharded.dtype)
    return distribute_tensor(value, sharded.device_mesh, sharded.placements, src_data_rank=None)


def _whole_weights(module: nn.Module, state_dict: dict[str, Any], prefix: str, local_metadata: Any) -> None:  # noqa: ARG001
    for name, value in state_dict.items():
        state_dict[name] = _whole(value)


def _shard_weights(module: nn.Module, state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
    for name, parameter in module.named_parameters(remove_duplicate=False):  # parts may be tied
        name = prefix + stored_name(name)
        value = state_dict.get(name)
        if value is not None and hasattr(parameter, 'full_tensor') and not hasattr(value, 'full_tensor'):
            state_dict[name] = _shard_like(value, parameter)


def _whole_moments(optimizer: torch.optim.Optimizer, state_dict: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    state = {
        index: {name: _whole(value) for name, value in moments.items()}
        for index, moments in state_dict['state'].items()
    }
    return {**state_dict, 'state': state}


def _shard_moments(optimizer: torch.optim.Optimizer, state_dict: Mapping[str, Any]) -> dict[str, Any]:
    own = [parameter for group in optimizer.param_groups for parameter in group['params']]
    stored = [index for group in state_dict['param_groups'] for index in group['params']]
    if len(own) != len(stored):
        return dict(state_dict)  # the optimizer itself raises an error with the difference
    state = {}
    for index, parameter in zip(stored, own):
        moments = state_dict['state'].get(index, {})
        state[index] = {
            name: _shard_like(value, parameter) if _is_like(value, parameter) else value
            for name, value in moments.items()
        }
    return {**state_dict, 'state': {index: moments for index, moments in state.items() if moments}}


def _is_like(value: Any, parameter: Any) -> bool:
    return hasattr(parameter, 'full_tensor') and isinstance(value, Tensor) and value.shape == parameter.shape
