"""Runs a model by one of two backends: PyTorch, or ONNX Runtime with an exported folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import nn

from hicmae_mm.apis.model_zoo import ResolvedModel, resolve_model
from hicmae_mm.checkpoints.loading import load_weights, read_checkpoint
from hicmae_mm.config.plain_text import read_config_text
from hicmae_mm.config.preprocessing import check_preprocessing
from hicmae_mm.kernels import use_cpu_kernels
from hicmae_mm.models.adapters import merge_adapters
from hicmae_mm.models.heads.base import average_views
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import EmotionDataSample

BACKENDS = ('torch', 'onnxruntime')


def check_predicts(resolved: ResolvedModel) -> None:
    """Checks that a model predicts emotion.

    Args:
        resolved: The model.

    Raises:
        ValueError: If its config has no head, as in pre-training.
    """
    model = resolved.cfg.get('model') or {}
    if 'head' not in model:
        raise ValueError(
            f'{resolved.name} predicts no emotion (its model is {model.get("type")!r}): fine-tune it first, or name a '
            'model of list_models()'
        )


def build_torch_model(cfg: Config, weights: str, device: str) -> nn.Module:
    """Builds a recognizer, loads its weights, and prepares it for prediction.

    The model accepts clips that lack streams. The inferencer decides before whether such clips are allowed.

    Args:
        cfg: Config of the model.
        weights: Path or address of the weights.
        device: Device on which the model runs.

    Returns:
        The model in evaluation mode.

    Raises:
        FileNotFoundError: If the weights do not exist.
        ValueError: If the weights do not belong to this model.
    """
    model = MODELS.build(cfg.model)
    check_preprocessing(model, cfg)
    load_weights(model, read_checkpoint(weights, model=model)['state_dict'], weights, require_all=True)
    merge_adapters(model)  # plain layers are faster
    if cfg.get('cpu_kernels', True):
        use_cpu_kernels(model)
    if hasattr(model, 'missing_streams'):
        model.missing_streams = 'zero'
    placed: nn.Module = model.to(device).eval()
    return placed


def resolve_for(backend: str, model: Any, weights: str | Path | None, trust_source: bool) -> ResolvedModel:
    """Finds the config and the weights of a model that predicts emotion.

    Args:
        backend: One of :data:`BACKENDS`.
        model: See :class:`~hicmae_mm.apis.EmotionInferencer`.
        weights: See :class:`~hicmae_mm.apis.EmotionInferencer`.
        trust_source: See :class:`~hicmae_mm.apis.EmotionInferencer`.

    Raises:
        FileNotFoundError: If the config or the weights do not exist.
        ValueError: If the model is unknown, has no weights, or predicts no emotion.
    """
    is_exported = backend == 'onnxruntime'
    resolved = resolve_exported(model, weights) if is_exported else resolve_model(model, weights, trust_source)
    check_predicts(resolved)
    if resolved.weights is None:
        raise ValueError(f'no weights of {resolved.name} are published: name a file by weights=, or train it first')
    return resolved


def resolve_exported(model: Any, weights: str | Path | None) -> ResolvedModel:
    """Finds the config and the folder of an exported model.

    Args:
        model: The folder, if ``weights`` is None; otherwise it is not used.
        weights: The folder that ``tools/export.py`` wrote, or None.

    Returns:
        The model; its ``weights`` are the path of the folder.

    Raises:
        FileNotFoundError: If the folder does not exist or lacks files.
        ValueError: If no folder is given, or its manifest is damaged.
    """
    from hicmae_mm.export import read_manifest

    if weights is None and not isinstance(model, (str, Path)):
        raise ValueError("backend='onnxruntime' needs weights=, the folder that tools/export.py wrote")
    folder = Path(model if weights is None else weights)
    manifest = read_manifest(folder)
    cfg = read_config_text(manifest.config, str(folder))
    return ResolvedModel(folder.resolve().name, cfg, str(folder), manifest.classes or None)


class ExportedModel(nn.Module):
    """Gives an exported model the interface of a recognizer.

    Args:
        cfg: Config of the model that was exported.
        folder: The folder that ``tools/export.py`` wrote.

    Raises:
        ImportError: If ONNX Runtime is not installed.
    """

    def __init__(self, cfg: Config, folder: str) -> None:
        super().__init__()
        from hicmae_mm.export import OnnxSession

        self.session = OnnxSession(folder)
        self.data_preprocessor = MODELS.build(cfg.model.data_preprocessor)

    def test_step(self, data: dict[str, Any]) -> list[EmotionDataSample]:
        """Predicts a collated batch and averages the predictions over the views of each clip.

        Args:
            data: The batch as the collate function made it.

        Returns:
            One sample with predictions for each clip.
        """
        prepared = self.data_preprocessor(data, False)
        samples: list[EmotionDataSample] = prepared['data_samples']
        for name, values in self.session.predict(prepared['inputs']).items():
            is_class = self.session.manifest.outputs[name]['kind'] == 'probabilities'
            for sample, mean in zip(samples, average_views(values, samples)):
                if is_class:
                    sample.set_pred_score(mean)
                else:
                    sample.set_pred_values(mean)
        return samples
