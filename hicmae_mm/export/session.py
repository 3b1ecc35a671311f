"""Run exported models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor

from hicmae_mm.export.extras import import_extra
from hicmae_mm.export.graphs import quiet
from hicmae_mm.export.manifest import Manifest, read_manifest
from hicmae_mm.export.token_ids import lengths_name, split_lengths
from hicmae_mm.structures import Inputs, Padded

# other providers such as TensorRT compile for minutes in the first call, so users must request them by name
_PREFERRED_PROVIDERS = ('CUDAExecutionProvider', 'CPUExecutionProvider')


class ExportedSession(ABC):
    """This is the base class of sessions. It checks inputs, and divides batches for models with a fixed batch size.

    Args:
        folder: Folder that ``tools/export.py`` wrote.
        format: The format that the class runs.

    Raises:
        FileNotFoundError: If the folder has no exported model.
        ValueError: If the manifest is damaged, or the model has another format.
    """

    def __init__(self, folder: str | Path, format: str) -> None:
        self.folder = Path(folder)
        self.manifest: Manifest = read_manifest(folder)
        if self.manifest.format != format:
            raise ValueError(
                f'{self.folder} has a model in the format {self.manifest.format!r}, but {type(self).__name__} runs '
                f'{format!r}; hicmae_mm.export.open_session runs both'
            )
        self.path = self.folder / self.manifest.file

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of the streams in the order of the model."""
        return tuple(self.manifest.inputs)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes. It is empty for a model that predicts only values."""
        return self.manifest.classes

    @property
    def config(self) -> Config:
        """Returns the resolved config from which the model was built. Reading it runs no code."""
        return self.manifest.load_config()

    def predict(self, inputs: Inputs) -> dict[str, Tensor]:
        """Runs the model.

        Args:
            inputs: Output of the data preprocessor ``(B, ...)`` by stream, on any device: video ``(B, 3, T, H, W)``,
                audio ``(B, 1, T, F)``, text ``(B, T)`` or ``Padded``. Other streams are ignored.

        Returns:
            ``(B, C)`` float32 by output, on the host: ``scores`` (probabilities or values), and ``values`` for models
            that predict both.

        Raises:
            ValueError: If a stream is missing, a shape is wrong, the batch is empty, or batch sizes differ.
            TypeError: If an input has integers, for example frames that are not normalised, or a text has none.
        """
        checked = self._check(inputs)
        total, size = len(next(iter(checked.values()))), self.manifest.batch_size
        if size is None or size == total:
            return self._run(checked)
        parts = []
        for start in range(0, total, size):
            chunk = {name: value[start : start + size] for name, value in checked.items()}
            missing = size - len(next(iter(chunk.values())))
            if missing:
                chunk = {name: _padded(value, missing) for name, value in chunk.items()}
            parts.append({name: value[: size - missing] for name, value in self._run(chunk).items()})
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def _check(self, inputs: Inputs) -> dict[str, Tensor]:
        missing = [name for name in self.streams if name not in inputs]
        if missing:
            raise ValueError(f'the model needs the streams {list(self.streams)}, but the inputs lack {missing}')
        checked: dict[str, Tensor] = {}
        for name, shape in self.manifest.input_shapes.items():
            if 'lengths' in self.manifest.inputs[name]:
                lengths: Any = inputs.get(lengths_name(name))
                checked |= split_lengths(name, inputs[name], shape[0], lengths)
            else:
                checked[name] = self._check_array(name, inputs[name], shape)
        counts = {name: len(value) for name, value in checked.items()}
        if len(set(counts.values())) > 1:
            raise ValueError(f'the streams have different batch sizes: {counts}')
        return {name: value.detach().cpu().contiguous() for name, value in checked.items()}

    def _check_array(self, name: str, given: Any, shape: tuple[int, ...]) -> Tensor:
        if isinstance(given, Padded) and len(set(given.lengths.tolist())) > 1:
            raise ValueError(f'clips differ in the length of {name}, and the exported model takes one length')
        value = torch.as_tensor(given.values if isinstance(given, Padded) else given)
        if tuple(value.shape[1:]) != shape or not len(value):
            raise ValueError(
                f'{name} must be (B, {", ".join(map(str, shape))}) with B at least 1, got {tuple(value.shape)}; '
                "inputs must come from the model's data preprocessor"
            )
        if not value.is_floating_point():
            raise TypeError(f"{name} must be normalised by the model's data preprocessor, got {value.dtype}")
        return value.float()

    @abstractmethod
    def _run(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Runs one batch of checked inputs, which are in the order of ``streams``."""


def _padded(value: Tensor, rows: int) -> Tensor:
    return torch.cat([value, value.new_zeros(rows, *value.shape[1:])])


class OnnxSession(ExportedSession):
    """Runs an exported ONNX model with ONNX Runtime.

    Args:
        folder: Folder that ``tools/export.py --format onnx`` wrote.
        threads: Number of threads for one operator. None means the number that PyTorch uses.
        providers: Execution providers of ONNX Runtime in order of preference, as names or (name, options). None means
            CUDA if the installed ONNX Runtime supports it, and CPU otherwise.

    Raises:
        ImportError: If onnxruntime is not installed.
        FileNotFoundError: If the folder has no exported model.
        ValueError: If the format is another one, the file is damaged, a provider is unknown, or ``threads`` is below 1.
    """

    def __init__(
        self,
        folder: str | Path,
        threads: int | None = None,
        providers: Sequence[str | tuple[str, dict[str, Any]]] | None = None,
    ) -> None:
        super().__init__(folder, 'onnx')
        runtime = import_extra('onnxruntime')
        if threads is not None and threads < 1:
            raise ValueError(f'threads must be at least 1, got {threads}')
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads or torch.get_num_threads()
        options.log_severity_level = 3  # only errors
        # threads must not spin between calls, because other threads may read the next clip then
        options.add_session_config_entry('session.force_spinning_stop', '1')
        try:
            self.session = runtime.InferenceSession(
                str(self.path), options, providers=choose_providers(runtime.get_available_providers(), providers)
            )
        except Exception as error:  # the errors of ONNX Runtime have no common class
            if type(error).__module__.partition('.')[0] != 'onnxruntime':
                raise
            raise ValueError(f'{self.path} cannot be run: {str(error).splitlines()[0]}; export it again') from error
        self.providers: tuple[str, ...] = tuple(self.session.get_providers())

    def _run(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        names = list(self.manifest.outputs)
        results: list[np.ndarray] = self.session.run(names, {name: value.numpy() for name, value in inputs.items()})
        return dict(zip(names, map(torch.from_numpy, results)))


def choose_providers(
    available: Sequence[str], wanted: Sequence[str | tuple[str, dict[str, Any]]] | None = None
) -> list[str | tuple[str, dict[str, Any]]]:
    """Chooses execution providers.

    Args:
        available: Providers of the installed ONNX Runtime.
        wanted: Names or (name, options) in order of preference. None means CUDA and CPU if they are available.

    Returns:
        The providers in order of preference.

    Raises:
        ValueError: If ``wanted`` is empty, or a provider is not available.

    Example:
        >>> from hicmae_mm.export.session import choose_providers
        >>> choose_providers(['TensorrtExecutionProvider', 'CPUExecutionProvider'])
        ['CPUExecutionProvider']
    """
    if wanted is None:
        return [name for name in _PREFERRED_PROVIDERS if name in available]
    names = [item if isinstance(item, str) else item[0] for item in wanted]
    unknown = [name for name in names if name not in available]
    if unknown or not names:
        raise ValueError(f'providers must be some of {list(available)}, got {names}; a GPU needs onnxruntime-gpu')
    return list(wanted)


class ProgramSession(ExportedSession):
    """Runs an exported ``torch.export`` program on the CPU.

    Args:
        folder: Folder that ``tools/export.py --format torch-export`` wrote.
        trust_source: Whether the author of the folder may run code on this machine. ``torch.export.load`` unpickles
            some parts of the file and evaluates others, and no other reader exists.

    Raises:
        FileNotFoundError: If the folder has no exported model.
        ValueError: If the format is another one, the file is damaged, or the source is not trusted.
    """

    def __init__(self, folder: str | Path, trust_source: bool = False) -> None:
        super().__init__(folder, 'torch-export')
        if not trust_source:
            raise ValueError(
                f'{self.path} is a program of torch.export, and reading it can run code that it contains: pass '
                'trust_source=True if you have written it yourself, or export to ONNX, which contains no code'
            )
        with quiet():
            try:
                self.module = torch.export.load(self.path).module()
            except Exception as error:  # a damaged archive or graph can raise any error
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
                raise ValueError(f'{self.path} cannot be read: {reason}; export it again') from error

    def _run(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        with torch.inference_mode():
            outputs: dict[str, Tensor] = self.module(inputs)
            return outputs


def open_session(folder: str | Path, threads: int | None = None, trust_source: bool = False) -> ExportedSession:
    """Opens an exported model of any format.

    Args:
        folder: Folder that ``tools/export.py`` wrote.
        threads: See :class:`OnnxSession`. A program uses the threads of PyTorch.
        trust_source: See :class:`ProgramSession`.

    Returns:
        The session.

    Raises:
        ImportError: If the model needs onnxruntime, which is not installed.
        FileNotFoundError: If the folder has no exported model.
        ValueError: If the model is damaged or not trusted.
    """
    if read_manifest(folder).format == 'onnx':
        return OnnxSession(folder, threads)
    return ProgramSession(folder, trust_source)
