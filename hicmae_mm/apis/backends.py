"""What runs the model: PyTorch, or ONNX Runtime on an exported folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import nn

from hicmae_mm.apis.config_text import read_config_text
from hicmae_mm.apis.model_zoo import ResolvedModel
from hicmae_mm.checkpoints.loading import load_weights, read_checkpoint
from hicmae_mm.kernels import use_cpu_kernels
from hicmae_mm.models.heads.base import average_views
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import EmotionDataSample

BACKENDS = ('torch', 'onnxruntime')


def check_predicts(resolved: ResolvedModel) -> None:
    """Raises ValueError for a config without a head, such as those of pre-training."""
    model = resolved.cfg.get('model') or {}
    if 'head' not in model:
        raise ValueError(
            f'{resolved.name} predicts no emotion (its model is {model.get("type")!r}): fine-tune it first, or name a '
            'model of list_models()'
        )


def build_torch_model(cfg: Config, weights: str, device: str) -> nn.Module:
    """A recognizer with its weights, ready to predict, which takes clips that lack streams.

    Whether such clips are wanted is decided before they come to the model.

    Raises:
        FileNotFoundError: If there are no such weights.
        ValueError: If the weights are not of this model.
    """
    model = MODELS.build(cfg.model)
    load_weights(model, read_checkpoint(weights)['state_dict'], weights, require_all=True)
    if cfg.get('cpu_kernels', True):
        use_cpu_kernels(model)
    if hasattr(model, 'missing_streams'):
        model.missing_streams = 'zero'
    return model.to(device).eval()


def resolve_exported(model: Any, weights: str | Path | None) -> ResolvedModel:
    """Config and folder of an exported model: ``weights``, or without them ``model``.

    Raises:
        FileNotFoundError: If the folder is not there, or not whole.
        ValueError: If none is named, or its description is damaged.
    """
    from hicmae_mm.export import read_manifest

    if weights is None and not isinstance(model, (str, Path)):
        raise ValueError("backend='onnxruntime' needs weights=, the folder that tools/export.py wrote")
    folder = Path(model if weights is None else weights)
    manifest = read_manifest(folder)
    cfg = read_config_text(manifest.config, str(folder))
    return ResolvedModel(folder.resolve().name, cfg, str(folder), manifest.classes or None)


class ExportedModel(nn.Module):
    """An exported model behind the interface of a recognizer.

    Args:
        cfg: Config of the model that was exported.
        folder: Written by ``tools/export.py``.

    Raises:
        ImportError: If ONNX Runtime is not installed.
    """

    def __init__(self, cfg: Config, folder: str) -> None:
        super().__init__()
        from hicmae_mm.export import OnnxSession

        self.session = OnnxSession(folder)
        self.data_preprocessor = MODELS.build(cfg.model.data_preprocessor)

    def test_step(self, data: dict[str, Any]) -> list[EmotionDataSample]:
        """Predictions of a collated batch, averaged over the views of each clip."""
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
