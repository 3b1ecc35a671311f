"""Running exported models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor

from hicmae_mm.export.extras import import_extra
from hicmae_mm.export.graphs import quiet
from hicmae_mm.export.manifest import Manifest, read_manifest

# TensorRT and others compile for minutes at the first call: only by name
_PREFERRED_PROVIDERS = ('CUDAExecutionProvider', 'CPUExecutionProvider')


class ExportedSession(ABC):
    """Base class of sessions: checks what goes in, and cuts batches for models of a fixed batch size.

    Args:
        folder: What ``tools/export.py`` has written.
        format: The format that the class runs.

    Raises:
        FileNotFoundError: No exported model there.
        ValueError: A damaged description, or a model of another format.
    """

    def __init__(self, folder: str | Path, format: str) -> None:
        self.folder = Path(folder)
        self.manifest: Manifest = read_manifest(folder)
        if self.manifest.format != format:
            raise ValueError(
                f'{self.folder} holds a model in the format {self.manifest.format!r}, {type(self).__name__} runs '
                f'{format!r}; hicmae_mm.export.open_session takes either'
            )
        self.path = self.folder / self.manifest.file

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of the streams, in the model's order."""
        return tuple(self.manifest.inputs)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; empty for a model of values."""
        return self.manifest.classes

    @property
    def config(self) -> Config:
        """The resolved config that the model was built from; reading it runs no code."""
        return self.manifest.load_config()

    def predict(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Runs the model.

        Args:
            inputs: What the data preprocessor returns, ``(B, ...)`` by stream, on any device: video
                ``(B, 3, T, H, W)``, audio ``(B, 1, T, F)``. Streams that the model does not have are not looked at.

        Returns:
            ``(B, C)`` float32 by output, on the host: ``scores`` (probabilities, or values) and, of models of both,
            ``values``.

        Raises:
            ValueError: A missing stream, a wrong shape, an empty batch, or streams of different batch sizes.
            TypeError: Integers, such as frames that have not been normalised.
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

    def _check(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        missing = [name for name in self.streams if name not in inputs]
        if missing:
            raise ValueError(f'the model needs the streams {list(self.streams)}, the inputs lack {missing}')
        checked = {name: torch.as_tensor(inputs[name]).detach() for name in self.streams}
        for name, value in checked.items():
            shape = self.manifest.input_shapes[name]
            if tuple(value.shape[1:]) != shape or not len(value):
                raise ValueError(
                    f'{name} must be (B, {", ".join(map(str, shape))}) with B at least 1, got {tuple(value.shape)}; '
                    "inputs are what the model's data preprocessor returns"
                )
            if not value.is_floating_point():
                raise TypeError(f"{name} must be normalised by the model's data preprocessor, got {value.dtype}")
        counts = {name: len(value) for name, value in checked.items()}
        if len(set(counts.values())) > 1:
            raise ValueError(f'the streams have different batch sizes: {counts}')
        return {name: value.to('cpu', torch.float32).contiguous() for name, value in checked.items()}

    @abstractmethod
    def _run(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Runs one batch of checked input, in the order of ``streams``."""


def _padded(value: Tensor, rows: int) -> Tensor:
    return torch.cat([value, value.new_zeros(rows, *value.shape[1:])])


class OnnxSession(ExportedSession):
    """Runs an exported ONNX model with ONNX Runtime.

    Args:
        folder: What ``tools/export.py --format onnx`` has written.
        threads: Threads of one operator; None: as many as torch uses.
        providers: Execution providers of ONNX Runtime in order of preference, as names or (name, options); None: CUDA
            where the installed ONNX Runtime has it, else CPU.

    Raises:
        ImportError: onnxruntime is not installed.
        FileNotFoundError: No exported model there.
        ValueError: Another format, a damaged file, an unknown provider, or less than one thread.
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
        options.log_severity_level = 3  # errors
        # threads wait spinning within a call, not between calls, where something else may read the next clip
        options.add_session_config_entry('session.force_spinning_stop', '1')
        try:
            self.session = runtime.InferenceSession(
                str(self.path), options, providers=choose_providers(runtime.get_available_providers(), providers)
            )
        except Exception as error:  # ONNX Runtime's errors have no common class of their own
            if type(error).__module__.partition('.')[0] != 'onnxruntime':
                raise
            raise ValueError(f'{self.path} cannot be run: {str(error).splitlines()[0]}; export it anew') from error
        self.providers: tuple[str, ...] = tuple(self.session.get_providers())

    def _run(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        names = list(self.manifest.outputs)
        results: list[np.ndarray] = self.session.run(names, {name: value.numpy() for name, value in inputs.items()})
        return dict(zip(names, map(torch.from_numpy, results)))


def choose_providers(
    available: Sequence[str], wanted: Sequence[str | tuple[str, dict[str, Any]]] | None = None
) -> list[str | tuple[str, dict[str, Any]]]:
    """Execution providers to ask for.

    Args:
        available: Those of the installed ONNX Runtime.
        wanted: Names or (name, options), in order of preference; None chooses.

    Raises:
        ValueError: One that is not available, or none.
    """
    if wanted is None:
        return [name for name in _PREFERRED_PROVIDERS if name in available]
    names = [item if isinstance(item, str) else item[0] for item in wanted]
    unknown = [name for name in names if name not in available]
    if unknown or not names:
        raise ValueError(f'providers must be of {list(available)}, got {names}; a GPU needs onnxruntime-gpu')
    return list(wanted)


class ProgramSession(ExportedSession):
    """Runs an exported ``torch.export`` program on the CPU.

    Args:
        folder: What ``tools/export.py --format torch-export`` has written.
        trust_source: Whether whoever wrote the folder may run code here: ``torch.export.load`` unpickles parts of the
            file and evaluates others, and there is no other reader.

    Raises:
        FileNotFoundError: No exported model there.
        ValueError: Another format, a damaged file, or one that is not trusted.
    """

    def __init__(self, folder: str | Path, trust_source: bool = False) -> None:
        super().__init__(folder, 'torch-export')
        if not trust_source:
            raise ValueError(
                f'{self.path} is a program of torch.export, which runs whatever code it holds while it is read: pass '
                'trust_source=True if you have written it yourself, or export to ONNX, which holds no code'
            )
        with quiet():
            try:
                self.module = torch.export.load(self.path).module()
            except Exception as error:  # a damaged archive or graph fails in any way
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
                raise ValueError(f'{self.path} cannot be read: {reason}; export it anew') from error

    def _run(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        with torch.inference_mode():
            outputs: dict[str, Tensor] = self.module(inputs)
            return outputs


def open_session(folder: str | Path, threads: int | None = None, trust_source: bool = False) -> ExportedSession:
    """The session for whatever format a folder holds.

    Args:
        folder: What ``tools/export.py`` has written.
        threads: As in :class:`OnnxSession`; a program takes torch's threads.
        trust_source: As in :class:`ProgramSession`.

    Raises:
        As :class:`OnnxSession` and :class:`ProgramSession`.
    """
    if read_manifest(folder).format == 'onnx':
        return OnnxSession(folder, threads)
    return ProgramSession(folder, trust_source)
