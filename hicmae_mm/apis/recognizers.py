"""Use a whole recognizer as a function: a clip in, its emotion over time out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hicmae_mm.apis.faces import AUTO, FaceCropper
from hicmae_mm.apis.inferencer import EmotionInferencer


@dataclass(frozen=True)
class Recognition:
    """Stores the prediction of a recognizer for one clip.

    Attributes:
        label: The class with the highest score; None for a model of values.
        scores: Probability of every class, averaged over the windows; empty for a model of values.
        values: Every predicted value, such as valence; empty for a model of classes.
        times: ``(W, 2)``, start and end of every window with scores (seconds).
        windows: ``(W, C)``, the scores or values of these windows, in the order of ``scores`` or ``values``.
        details: Everything else that :class:`~hicmae_mm.apis.EmotionInferencer` returns: streams, faces, warnings.
    """

    label: str | None
    scores: dict[str, float]
    values: dict[str, float]
    times: np.ndarray
    windows: np.ndarray
    details: dict[str, Any]


class LoadedRecognizer:
    """Runs a recognizer as a function. :func:`load_recognizer` makes one.

    Args:
        inferencer: Runs the model.

    Attributes:
        inferencer: The same, for its further options.
    """

    def __init__(self, inferencer: EmotionInferencer) -> None:
        self.inferencer = inferencer

    def __call__(
        self,
        clips: Any,
        batch_size: int = 8,
        window_seconds: float | None = None,
        stride_seconds: float | None = None,
        streams: Sequence[str] | None = None,
    ) -> Recognition | list[Recognition]:
        """Recognises emotion in clips.

        Args:
            clips: Path of a file; a dictionary of arrays, such as ``dict(frames=..., fps=25, waveform=...,
                sample_rate_hz=16000)``; or a list of these. :class:`~hicmae_mm.apis.EmotionInferencer` lists all forms.
            batch_size: Number of windows that the model gets at once.
            window_seconds: See :class:`~hicmae_mm.apis.EmotionInferencer`.
            stride_seconds: See :class:`~hicmae_mm.apis.EmotionInferencer`.
            streams: See :class:`~hicmae_mm.apis.EmotionInferencer`.

        Returns:
            The result of the clip; for a list, or a folder of several clips, a list.

        Raises:
            FileNotFoundError: If an input does not exist.
            MediaError: If a clip is broken, or lacks a stream that the model needs.
            TypeError: If an input has another type.
            ValueError: If an option is out of range.
        """
        found = self.inferencer(
            clips,
            batch_size=batch_size,
            window_seconds=window_seconds,
            stride_seconds=stride_seconds,
            streams=streams,
        )['predictions']
        results = [_recognition(result) for result in found]
        return results[0] if len(results) == 1 and not isinstance(clips, (list, tuple)) else results


def _recognition(result: Mapping[str, Any]) -> Recognition:
    scores, values = result.get('scores') or {}, result.get('values') or {}
    kind = 'scores' if scores else 'values'
    windows = [window for window in result.get('windows', ()) if window[kind]]
    return Recognition(
        label=result.get('label'),
        scores=dict(scores),
        values=dict(values),
        times=np.array([(window['start_seconds'], window['end_seconds']) for window in windows]).reshape(-1, 2),
        windows=np.array([[*window[kind].values()] for window in windows]),
        details={key: value for key, value in result.items() if key not in ('label', 'scores', 'values')},
    )


def load_recognizer(
    model: str | Path | Mapping[str, Any],
    weights: str | Path | None = None,
    device: str | None = None,
    face_cropper: FaceCropper = AUTO,
    missing_streams: str | None = None,
    trust_source: bool = False,
) -> LoadedRecognizer:
    """Loads a recognizer, which then takes files and arrays of any length.

    Args:
        model: Folder of a training, path or name of a config, or a config; see
            :class:`~hicmae_mm.apis.EmotionInferencer`.
        weights: Path or address of weights. None means the weights of the model.
        device: Device such as ``'cpu'`` or ``'cuda'``. None means the fastest device of this machine.
        face_cropper: See :class:`~hicmae_mm.apis.EmotionInferencer`.
        missing_streams: See :class:`~hicmae_mm.apis.EmotionInferencer`.
        trust_source: Whether the config in a folder of weights may run code. By default it is read as data.

    Returns:
        The recognizer: ``recognize(path)`` returns a :class:`Recognition`.

    Raises:
        FileNotFoundError: If the config or the weights do not exist.
        ValueError: If the model is unknown, has no weights, or predicts no emotion.

    Example:
        >>> import tempfile
        >>> import numpy as np, torch
        >>> from mmengine.config import Config
        >>> from hicmae_mm.apis import load_recognizer
        >>> from hicmae_mm.registry import MODELS
        >>> config, weights = 'configs/hicmae_nano_audio_synthetic.py', f'{tempfile.mkdtemp()}/untrained.pth'
        >>> torch.save(MODELS.build(Config.fromfile(config).model).state_dict(), weights)
        >>> recognize = load_recognizer(config, weights, device='cpu')
        >>> sorted(recognize(dict(waveform=np.zeros(32000, np.float32), sample_rate_hz=16000)).scores)[:2]
        ['ANG', 'DIS']
    """
    inferencer = EmotionInferencer(
        model,
        weights,
        device,
        face_cropper=face_cropper,
        missing_streams=missing_streams,
        trust_source=trust_source,
    )
    return LoadedRecognizer(inferencer)
