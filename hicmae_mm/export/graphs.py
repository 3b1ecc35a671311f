"""Convert recognizers to ``torch.export`` programs and ONNX graphs, in float32 or int8."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from hicmae_mm.export.extras import import_extra
from hicmae_mm.export.recognizer import ExportableRecognizer

DEFAULT_OPSET = 20  # the first with Gelu; 23 adds Attention, which fewer runtimes support
_TRACED_BATCH = 2  # tracing would treat a batch size of 1 as a constant
_NOT_QUANTIZED = ('patch_embed', 'head')
_LARGEST_PROTOBUF = 2**31


def trace(recognizer: ExportableRecognizer, batch_size: int | None = None) -> torch.export.ExportedProgram:
    """Traces a recognizer.

    Args:
        recognizer: The recognizer.
        batch_size: Number of views in each call. None means any number.

    Returns:
        The program.
    """
    example = recognizer.example_inputs(batch_size or _TRACED_BATCH)
    dynamic = None
    if batch_size is None:
        batch = torch.export.Dim('batch', min=1)
        dynamic = ({name: {0: batch} for name in example},)
    with torch.no_grad(), quiet():
        return torch.export.export(recognizer, (example,), dynamic_shapes=dynamic, strict=False)


def write_program(program: torch.export.ExportedProgram, path: Path) -> None:
    """Writes a program to a ``.pt2`` file.

    Args:
        program: The program.
        path: The file.
    """
    with quiet():
        torch.export.save(program, path)


def write_onnx(
    program: torch.export.ExportedProgram, path: Path, outputs: list[str], opset: int = DEFAULT_OPSET
) -> list[str]:
    """Writes an ONNX file, and a ``.data`` file beside it if the weights are too large for one file.

    Notes of the exporter about each node (paths of source files, stack traces) are removed.

    Args:
        program: Result of :func:`trace`.
        path: The file.
        outputs: Names of the outputs in the order of the program.
        opset: Version of the ONNX operators.

    Returns:
        Names of the nodes that should stay in floating point when the others are quantised: patch embeddings and head.
    """
    for package in ('onnx', 'onnxscript'):
        import_extra(package)
    (arguments, _) = program.example_inputs
    with quiet():
        converted = torch.onnx.export(
            program,
            (),
            input_names=list(arguments[0]),
            output_names=outputs,
            opset_version=opset,
            dynamo=True,
            verbose=False,
        )
    assert converted is not None
    graph = converted.model.graph
    kept = [
        str(node.name)
        for node in graph.all_nodes()
        if any(part in node.metadata_props.get('pkg.torch.onnx.name_scopes', '') for part in _NOT_QUANTIZED)
    ]
    _strip(converted.model)
    converted.save(path)
    return kept


def _strip(model: Any) -> None:
    """Removes the notes of the exporter from an ONNX model."""
    graph = model.graph
    values = [*graph.inputs, *graph.outputs, *graph.initializers.values()]
    for node in graph.all_nodes():
        node.metadata_props.clear()
        node.doc_string = None
        values += node.outputs
    for part in (model, graph, *values):
        part.metadata_props.clear()
        part.doc_string = None


def quantize_onnx(source: Path, path: Path, kept: list[str], reduce_range: bool = False) -> None:
    """Writes a copy of an ONNX file that computes products with weights in int8.

    Weights are quantised once for each output channel. Activations are quantised in every call for each tensor.
    Products of two activations (attention) stay in floating point.

    Args:
        source: File in float32.
        path: The new file.
        kept: Names of nodes that stay in float32.
        reduce_range: Whether weights have only 7 bits. Processors without VNNI instructions (before about 2019) add
            pairs of products in 16 bits, which overflow with 8 bits.

    Raises:
        ImportError: If the ``export`` extra is not installed.
        ValueError: If the model is too large for one file.
    """
    onnx, quantization = import_extra('onnx'), import_extra('onnxruntime.quantization')
    if source.stat().st_size + sum(file.stat().st_size for file in source.parent.glob('*.data')) >= _LARGEST_PROTOBUF:
        raise ValueError('a model of more than 2 GiB cannot be quantised to int8')
    model = onnx.load(source)
    del model.graph.value_info[:]  # the quantiser replaces Gemm by MatMul, and the recorded shapes would be wrong
    onnx.helper.set_model_props(model, {'onnx.quant.pre_process': 'onnxruntime.quant'})  # avoids its warning
    with quiet():
        quantization.quantize_dynamic(
            model,
            path,
            op_types_to_quantize=['MatMul'],
            per_channel=True,
            reduce_range=reduce_range,
            weight_type=quantization.QuantType.QInt8,
            nodes_to_exclude=kept,
            extra_options={'MatMulConstBOnly': True},
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Hides notes of the exporters about their own deprecations and optional packages.

    Yields:
        Nothing.
    """
    loggers = [logging.getLogger(name) for name in ('torch.onnx', 'onnxscript', 'onnx_ir', 'torch.export')]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)
