"""Export a recognizer to a folder."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import nn

from hicmae_mm.config.facts import dataset_facts
from hicmae_mm.datasets.filterbank import FRAME_SHIFT_MS
from hicmae_mm.export.clips import data_settings
from hicmae_mm.export.comparison import TOLERANCE, checked_batches, largest_difference
from hicmae_mm.export.graphs import DEFAULT_OPSET, quantize_onnx, trace, write_onnx, write_program
from hicmae_mm.export.manifest import MODEL_FILES, Manifest, replaced_folder
from hicmae_mm.export.reading import describe_reading
from hicmae_mm.export.recognizer import ExportableRecognizer
from hicmae_mm.export.session import open_session
from hicmae_mm.export.token_ids import lengths_name, longest_texts
from hicmae_mm.models.adapters import merge_adapters
from hicmae_mm.structures import Inputs
from hicmae_mm.version import __version__

NOMINAL_FPS = 25  # frame rate of the corpora, in frames per second
_PACKAGES = {'onnx': ('torch', 'onnx', 'onnxscript', 'onnxruntime'), 'torch-export': ('torch',)}


def export_model(
    model: nn.Module,
    cfg: Config,
    out: str | Path,
    format: str = 'onnx',
    batch_size: int | None = None,
    opset: int = DEFAULT_OPSET,
    is_int8: bool = False,
    reduce_range: bool = False,
    views: Inputs | None = None,
    checkpoint: Mapping[str, str] | None = None,
) -> Manifest:
    """Exports a recognizer, and compares the exported model with the eager one.

    Args:
        model: The recognizer with its weights, on the CPU. It is set to evaluation mode, and its LoRA is merged.
        cfg: The resolved config from which it was built.
        out: Folder for the file of the model and ``model.json``. An earlier export is replaced when the new one is
            complete and checked.
        format: ``'onnx'`` or ``'torch-export'``.
        batch_size: Number of views in each call. None means any number.
        opset: Version of the ONNX operators.
        is_int8: Whether to quantise the products with weights (ONNX only).
        reduce_range: See :func:`hicmae_mm.export.graphs.quantize_onnx`.
        views: ``(B, ...)`` by stream, views of clips for the comparison. B must be at least 5, or one more than
            ``batch_size``. The exported model takes their number of frames and samples, and as many tokens as the
            longest text, or ``max_length`` of ``Tokenize``. None means no comparison.
        checkpoint: ``file`` and ``sha256`` of the weights, which ``model.json`` records.

    Returns:
        The content of ``model.json`` with the largest difference.

    Raises:
        ValueError: If the model is not a recognizer, an option is wrong, int8 is requested without ONNX, or the float32
            model differs from the eager one by more than 1e-4.
        ImportError: If the ``export`` extra is not installed.
    """
    if format not in MODEL_FILES:
        raise ValueError(f'format must be one of {list(MODEL_FILES)}, got {format!r}')
    if is_int8 and format != 'onnx':
        raise ValueError(f"is_int8 is for format='onnx', got {format!r}")
    if batch_size is not None and batch_size < 1:
        raise ValueError(f'batch_size must be at least 1, got {batch_size}')
    shapes = {name: tuple(value.shape[1:]) for name, value in (views or {}).items()}
    shapes.update({name: (length,) for name, length in longest_texts(_pipeline(cfg)).items()})
    recognizer = ExportableRecognizer(model, shapes)
    merge_adapters(model)
    manifest = describe(recognizer, cfg, format, checkpoint or {})
    manifest = replace(manifest, batch_size=batch_size, opset=opset if format == 'onnx' else None)
    out = Path(out)
    program = trace(recognizer, batch_size)
    with replaced_folder(out) as folder:
        path = folder / manifest.file
        if format == 'onnx':
            kept = write_onnx(program, path, list(manifest.outputs), opset)
        else:
            write_program(program, path)
        manifest = _checked(manifest, recognizer, folder, views)
        if is_int8:
            whole = path.rename(folder / 'float32.onnx')
            quantize_onnx(whole, path, kept, reduce_range)
            whole.unlink()
            manifest = _checked(replace(manifest, precision='int8'), recognizer, folder, views)
    return manifest


def _checked(manifest: Manifest, recognizer: ExportableRecognizer, folder: Path, views: Inputs | None) -> Manifest:
    """Writes the manifest with the measured difference, and refuses a float32 model that differs too much."""
    manifest.write(folder)
    if views is None:
        return manifest
    difference = largest_difference(
        recognizer, open_session(folder, trust_source=True), views, checked_batches(manifest.batch_size)
    )
    if not math.isfinite(difference) or (manifest.precision == 'float32' and difference > TOLERANCE):
        raise ValueError(
            f'the exported {manifest.precision} model differs from the eager one by {difference:.2g}, more than '
            f'{TOLERANCE:g}: nothing was written'
        )
    manifest = replace(manifest, max_difference=difference)
    manifest.write(folder)
    return manifest


def describe(recognizer: ExportableRecognizer, cfg: Config, format: str, checkpoint: Mapping[str, str]) -> Manifest:
    """Describes a model by its config and its parts.

    Args:
        recognizer: The model.
        cfg: Its resolved config.
        format: ``'onnx'`` or ``'torch-export'``.
        checkpoint: ``file`` and ``sha256`` of the weights.

    Returns:
        The manifest.
    """
    preprocessor = recognizer.model.data_preprocessor
    inputs: dict[str, dict[str, Any]] = {}
    steps = _pipeline(cfg)
    for name, shape in recognizer.input_shapes().items():
        inputs[name] = {'shape': list(shape), 'dtype': 'float32', **describe_reading(name, steps)}
        if name in recognizer.texts:
            inputs[name] |= {'dtype': 'int64', 'lengths': lengths_name(name)}
        if name == 'video' and hasattr(preprocessor, 'mean'):
            inputs[name] |= {key: getattr(preprocessor, key).flatten().tolist() for key in ('mean', 'std')}
    versions = {'hicmae_mm': __version__, 'python': platform.python_version()}
    return Manifest(
        format=format,
        file=MODEL_FILES[format],
        inputs=inputs,
        outputs=_outputs(recognizer, dataset_facts(cfg)),
        config=cfg.pretty_text,
        window_seconds=window_seconds(cfg, recognizer),
        checkpoint=dict(checkpoint),
        versions=versions | {name: _version(name) for name in _PACKAGES[format]},
    )


def _pipeline(cfg: Config) -> Sequence[Mapping[str, Any]]:
    """Finds the steps of the test pipeline; a config without test data has none."""
    try:
        return data_settings(cfg).get('pipeline') or ()
    except ValueError:
        return ()


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # for example, the package onnxruntime-gpu contains the module onnxruntime
        return 'unknown'


def _outputs(recognizer: ExportableRecognizer, facts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Describes kind and column names of every output; columns without names in the data set get numbers."""
    with torch.inference_mode():
        widths = {name: value.shape[1] for name, value in recognizer(recognizer.example_inputs(1)).items()}
    named = {'probabilities': facts.get('classes'), 'values': facts.get('dimensions')}
    outputs = {}
    for name, width in widths.items():
        kind = recognizer.kinds[name]
        names = list(named[kind] or ())
        outputs[name] = {'kind': kind, 'names': names if len(names) == width else [str(i) for i in range(width)]}
    return outputs


def window_seconds(cfg: Config, recognizer: ExportableRecognizer) -> float | None:
    """Computes the time that one view covers.

    Args:
        cfg: Resolved config.
        recognizer: The model.

    Returns:
        Length of the sampled frames at 25 frames per second. For a model without video it is the length of the
        spectrogram. None if it is unknown, as for waveforms of any length.
    """
    if 'video' not in recognizer.model.encoders:
        shape = recognizer.input_shapes().get('audio')
        return None if shape is None or len(shape) != 3 else shape[1] * FRAME_SHIFT_MS / 1000
    sampling = next((step for step in _pipeline(cfg) if step.get('type') == 'SampleClips'), None)
    return None if sampling is None else sampling['clip_len'] * sampling['frame_interval'] / NOMINAL_FPS
