"""Reads checkpoints safely, loads them into models, and reports the parameters that were loaded and that were not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hicmae_mm.checkpoints.addresses import allow_training_checkpoints, read_address
from hicmae_mm.checkpoints.downloads import download
from hicmae_mm.checkpoints.files import check_is_file, read_file
from hicmae_mm.checkpoints.published_keys import is_published, map_published_keys
from hicmae_mm.checkpoints.trained_parts import complete
from hicmae_mm.checkpoints.weights import check_weights
from hicmae_mm.models.adapters import is_adapter_weight

__all__ = [
    'LoadingReport',
    'allow_training_checkpoints',
    'check_exists',
    'load_weights',
    'read_checkpoint',
    'read_checkpoint_meta',
]


def read_checkpoint(
    filename: str | Path,
    map_location: Any = 'cpu',
    is_trusted: bool = False,
    model: nn.Module | None = None,
    with_base: bool = True,
) -> dict[str, Any]:
    """Reads a checkpoint. Code in the file is executed only if the file is trusted.

    Args:
        filename: A local file (``.safetensors``, or written by ``torch.save``), a web address (the file is kept in
            PyTorch's cache), or another address that MMEngine's ``CheckpointLoader`` supports.
        map_location: The argument of ``torch.load``.
        is_trusted: Whether the file may execute its own code.
        model: A model whose own weights may be the base of a checkpoint that holds the trained parameters only.
        with_base: Whether the base of such a checkpoint is read with it.

    Returns:
        The checkpoint as a dictionary, with the weights of the model as ``state_dict``. Weights of the published HiCMAE
        implementation get the parameter names of this package.

    Raises:
        FileNotFoundError: If the file does not exist, or the server does not answer.
        ValueError: If the file is not a checkpoint, contains objects that are not allowed, does not have the hash that
            its address states, or belongs to weights that are not found.
    """
    address = str(filename)
    if '://' in address and not address.startswith(('http://', 'https://')):
        content = read_address(address, map_location)
    else:
        path = download(address) if '://' in address else Path(filename).expanduser()
        content = read_file(path, map_location, is_trusted=is_trusted)
    checkpoint = _in_own_names(with_state_dict(content, address))
    if not with_base:
        return checkpoint

    def read(base: str) -> dict[str, torch.Tensor]:
        state: dict[str, torch.Tensor] = read_checkpoint(base, map_location, with_base=False)['state_dict']
        return state

    return complete(checkpoint, address, read, model)


def _in_own_names(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Renames the weights of a checkpoint of the published implementation; returns other checkpoints unchanged."""
    state = {name.removeprefix('module.'): value for name, value in checkpoint['state_dict'].items()}
    return {**checkpoint, 'state_dict': map_published_keys(state)} if is_published(state) else checkpoint


def read_checkpoint_meta(filename: str | Path) -> dict[str, Any]:
    """Returns the ``meta`` dictionary of a checkpoint (epoch, iter, seed, ...); empty if it has none.

    The tensors of a local file are not read.
    """
    if '://' in str(filename):
        return dict(read_checkpoint(filename).get('meta', {}))
    checkpoint = read_file(Path(filename).expanduser(), 'cpu', is_mapped=True)
    return dict(_with_weights(checkpoint, str(filename)).get('meta', {}))


def check_exists(filename: str | Path | None) -> None:
    """Raises an error if ``filename`` is given, is not an address, and there is no such file."""
    if filename and '://' not in str(filename):
        check_is_file(Path(filename).expanduser())


def with_state_dict(checkpoint: Any, filename: str) -> dict[str, Any]:
    """Converts the forms of checkpoints to a dictionary with ``state_dict``.

    Args:
        checkpoint: A training checkpoint, a published one (with ``model`` or ``module``), or a dictionary of tensors.
        filename: Name of the file in error messages.

    Raises:
        ValueError: If it has another form, or weights that no model can have; see
            :func:`~hicmae_mm.checkpoints.weights.check_weights`.
    """
    found = _with_weights(checkpoint, filename)
    check_weights(found['state_dict'], filename)
    return found


def _with_weights(checkpoint: Any, filename: str) -> dict[str, Any]:
    if isinstance(checkpoint, Mapping):
        if isinstance(checkpoint.get('state_dict'), Mapping):
            if not isinstance(checkpoint.get('meta', {}), Mapping):
                raise ValueError(f"{filename!r} is not a checkpoint: its 'meta' is not a dictionary")
            return dict(checkpoint)
        for key in ('model', 'module'):
            if isinstance(checkpoint.get(key), Mapping):
                return {'state_dict': checkpoint[key]}
        if checkpoint and all(isinstance(value, torch.Tensor) for value in checkpoint.values()):
            return {'state_dict': checkpoint}
    found = type(checkpoint).__name__
    if isinstance(checkpoint, Mapping):
        found = str([str(key)[:40] for key in islice(checkpoint, 5)])
    raise ValueError(f"{filename!r} is not a checkpoint: expected a dictionary with 'state_dict', found {found}")


@dataclass
class LoadingReport:
    """Lists the parameters that were loaded from a checkpoint, and those that were not.

    Attributes:
        loaded: Names of the parameters that were copied from the checkpoint.
        missing: Names of the model that the checkpoint lacks. These parameters keep their initial values.
        unexpected: Names of the checkpoint that the model lacks.
        mismatched: Shape in the checkpoint and shape in the model, by name, for parameters that were not loaded
            because these shapes differ.
    """

    loaded: list[str]
    missing: list[str]
    unexpected: list[str]
    mismatched: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]

    @property
    def is_complete(self) -> bool:
        """Returns whether every parameter of the model came from the checkpoint."""
        return not self.missing and not self.mismatched

    @property
    def is_suspicious(self) -> bool:
        """Returns whether more than a new head is missing: shapes differ, or fewer were loaded than are missing."""
        return bool(self.mismatched) or len(self.loaded) < len(self.missing)

    def summary(self) -> str:
        """Returns a few lines for the log: the numbers of parameters, and names grouped by module."""
        total = len(self.loaded) + len(self.missing) + len(self.mismatched)
        lines = [f'{len(self.loaded)} of {total} entries of the model loaded']
        if self.missing:
            lines.append(f'  not in the checkpoint, initial values kept: {_grouped(self.missing)}')
        if self.mismatched:
            shapes = ', '.join(f'{name} {found} (model {own})' for name, (found, own) in self.mismatched.items())
            lines.append(f'  of another shape, initial values kept: {shapes}')
        if self.unexpected:
            lines.append(f'  in the checkpoint, not used: {_grouped(self.unexpected)}')
        return '\n'.join(lines)


def _grouped(names: list[str]) -> str:
    """Groups names by module: ``['head.fc.weight', 'head.fc.bias']`` becomes ``head.fc (2)``, in the given order."""
    groups = Counter('.'.join(name.split('.')[:2]) for name in names)
    return ', '.join(f'{group} ({count})' if count > 1 else group for group, count in groups.items())


def load_weights(
    model: nn.Module, state_dict: Mapping[str, torch.Tensor], source: str, require_all: bool = False
) -> LoadingReport:
    """Copies the weights that fit into a model, and reports the others.

    Args:
        model: The model, which is changed in place.
        state_dict: Weights by parameter name. Names may have the prefix ``module.`` of a wrapped model.
        source: Name of the file in error messages.
        require_all: Whether every parameter of the model must be in the checkpoint, as for testing and resuming.

    Returns:
        Loaded, missing, unexpected and mismatched names.

    Raises:
        ValueError: If no weight fits, if a weight has an integer type, or if ``require_all`` is True and a parameter
            is missing.

    Example:
        >>> model = nn.Linear(2, 1)
        >>> print(load_weights(model, {'weight': torch.ones(1, 2)}, 'a.pth').summary())
        1 of 2 entries of the model loaded
          not in the checkpoint, initial values kept: bias
    """
    weights = {name.removeprefix('module.'): value for name, value in state_dict.items()}
    own = model.state_dict()
    for name, value in weights.items():
        if name in own and own[name].is_floating_point() and not value.is_floating_point():
            raise ValueError(
                f'{source!r} does not fit this model: {name} holds {value.dtype}, expected floating point numbers'
            )
    mismatched = {
        name: (tuple(value.shape), tuple(own[name].shape))
        for name, value in weights.items()
        if name in own and value.shape != own[name].shape
    }
    fitting = {name: value for name, value in weights.items() if name not in mismatched}
    model.load_state_dict(fitting, strict=False)
    # names of checkpoints: those that load_state_dict returns are other ones in layers with adapters
    missing = [name for name in own if name not in weights]
    loaded = [name for name in own if name in fitting]
    report = LoadingReport(loaded, missing, [name for name in weights if name not in own], mismatched)
    if own and not report.loaded:
        raise ValueError(
            f'{source!r} is the wrong checkpoint: none of its {len(weights)} entries (such as '
            f'{next(iter(weights), None)!r}) fits this model (such as {next(iter(own))!r}). Encoders of other '
            'projects are fitted by tools/model_converters/encoder_to_mm.py'
        )
    adapters = [name for name in report.unexpected if is_adapter_weight(name)]
    if require_all and adapters:
        raise ValueError(
            f'{source!r} holds adapters that this model lacks, such as {adapters[0]!r}: name the config that it was '
            'trained with, or merge them by tools/model_converters/merge_adapters.py'
        )
    if require_all and not report.is_complete:
        raise ValueError(f'{source!r} does not fill this model{_cause(mismatched)}: {report.summary()}')
    return report


def _cause(mismatched: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]) -> str:
    """Returns a part of an error message about the likely difference between the models; empty if it is unknown."""
    inner = {name: shapes for name, shapes in mismatched.items() if not name.startswith('head.')}
    for name, (found, own) in inner.items():
        if name.startswith('encoders.') and found[-1] != own[-1] and name.endswith('norm1.weight'):
            return f', which has another size (its width is {found[-1]}, the config {own[-1]}): name another config'
    last = mismatched.get('head.fc.weight')
    if last is not None and not inner:
        return f', which has other classes or values ({last[0][0]}, the config {last[1][0]}): name another config'
    return ''
