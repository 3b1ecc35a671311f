"""Evaluate the eager model and exported models on the test set of a config; every clip is read once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import init_default_scope
from torch import Tensor

from hicmae_mm.engine import AudioVisualRunner
from hicmae_mm.export.recognizer import KINDS, ExportableRecognizer, prepare_inputs
from hicmae_mm.export.session import ExportedSession
from hicmae_mm.models.heads.base import average_views
from hicmae_mm.structures import EmotionDataSample, Stream

_FIELDS = {kind: field for field, kind in KINDS.items()}


def evaluate(
    recognizer: ExportableRecognizer, sessions: Mapping[str, ExportedSession], cfg: Config
) -> dict[str, dict[str, float]]:
    """Evaluates all models on the test set of the config.

    Args:
        recognizer: The eager model.
        sessions: Exported models by name.
        cfg: Resolved config with ``test_dataloader`` and ``test_evaluator``.

    Returns:
        Measures of the config's evaluator by model. ``eager`` is the first model.

    Raises:
        ValueError: If the config has no test data or no evaluator.
        FileNotFoundError: If the test data do not exist.
    """
    if not cfg.get('test_dataloader') or not cfg.get('test_evaluator'):
        raise ValueError('the config needs test_dataloader and test_evaluator, to evaluate on its test set')
    init_default_scope(cfg.get('default_scope', 'hicmae_mm'))
    loader = AudioVisualRunner.build_dataloader(cfg.test_dataloader, seed=0)
    dataset: Any = loader.dataset
    models: dict[str, Callable[[dict[str, Stream]], Mapping[str, Tensor]]] = {'eager': recognizer}
    models |= {name: session.predict for name, session in sessions.items()}
    evaluators = {name: Evaluator(_metrics(cfg)) for name in models}
    for evaluator in evaluators.values():
        evaluator.dataset_meta = dataset.metainfo
    for batch in loader:
        inputs = prepare_inputs(recognizer.model, batch)
        for name, run in models.items():
            with torch.inference_mode():
                outputs = run(inputs)
            samples = [sample.clone() for sample in batch['data_samples']]
            set_predictions(samples, outputs, recognizer.kinds)
            evaluators[name].process(data_samples=samples, data_batch=batch)
    return {name: dict(evaluator.evaluate(len(dataset))) for name, evaluator in evaluators.items()}


def _metrics(cfg: Config) -> list[dict[str, Any]]:
    metrics = cfg.test_evaluator
    return [dict(metric) for metric in (metrics if isinstance(metrics, (list, tuple)) else [metrics])]


def set_predictions(
    samples: list[EmotionDataSample], outputs: Mapping[str, Tensor], kinds: Mapping[str, str]
) -> list[EmotionDataSample]:
    """Averages the outputs of a session over the views of each clip, and stores them, as ``predict`` of a head does.

    Args:
        samples: One sample with ``num_views`` for each clip. They are changed in place.
        outputs: ``(sum of views, C)`` by output.
        kinds: ``'probabilities'`` or ``'values'`` by output.

    Returns:
        The samples.
    """
    for name, rows in outputs.items():
        for sample, row in zip(samples, average_views(rows.cpu(), samples)):
            if _FIELDS[kinds[name]] == 'pred_score':
                sample.set_pred_score(row)
            else:
                sample.set_pred_values(row)
    return samples
