"""Use the encoder of any model as a function: sound or pictures in, features out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device
from torch import Tensor

from hicmae_mm.apis.clip import SOUND_ENDED, PreparedWindow, WindowedClip
from hicmae_mm.apis.encoded import (
    EncoderFeatures,
    WindowFeatures,
    join_windows,
    spectrogram_times,
    video_times,
    waveform_times,
)
from hicmae_mm.apis.faces import AUTO, FaceCropper, build_face_options
from hicmae_mm.apis.model_zoo import ResolvedModel, resolve_model
from hicmae_mm.apis.settings import Settings, sampling_facts
from hicmae_mm.apis.speech_folders import config_of_folder, is_foreign_folder
from hicmae_mm.checkpoints.loading import read_checkpoint
from hicmae_mm.config.collation import collate_of
from hicmae_mm.datasets.clips.inputs import ClipInput, as_clips
from hicmae_mm.datasets.clips.media import OpenClip
from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.transforms import ExtractorSpectrogram, WholeTrack
from hicmae_mm.features.data import dataset_configs
from hicmae_mm.features.extractor import FeatureExtractor
from hicmae_mm.models.layers import mean_tokens
from hicmae_mm.registry import MODELS, TRANSFORMS
from hicmae_mm.structures import EmotionDataSample, Stream

STREAMS = ('video', 'audio')
_MIN_FACE_COVERAGE = 0.25


class LoadedEncoder:
    """Runs the encoder of one stream of a model, behind the test pipeline of the model's config.

    :func:`load_encoder` makes one.

    Args:
        cfg: Config of the model and its data.
        stream: ``'audio'`` or ``'video'``.
        weights: Path or address of weights; None for an encoder that loads its own.
        device: Device on which the encoder runs.
        face_cropper: See :class:`~hicmae_mm.apis.EmotionInferencer`.

    Attributes:
        encoder: The component.
        embed_dims: Width D of the features.

    Raises:
        ValueError: If the weights lack the encoder, or the config does not say how clips are read.
    """

    def __init__(
        self, cfg: Config, stream: str, weights: str | None, device: str | torch.device, face_cropper: FaceCropper
    ) -> None:
        model = MODELS.build(cfg.model)
        extractor = FeatureExtractor(model, (stream,), 'all')
        if weights is not None:
            extractor.load(read_checkpoint(weights)['state_dict'], weights)
        self.stream, self.device = stream, torch.device(device)
        self.encoder = model.encoders[stream].to(self.device)
        self.embed_dims: int = self.encoder.embed_dims
        self._preprocessor = model.data_preprocessor.to(self.device)
        self._pipeline = [TRANSFORMS.build(step) for step in dataset_configs(cfg)[0][0]['pipeline']]
        self._collate = collate_of(cfg)
        self._settings = self._make_settings(tuple(cfg.model.encoders), face_cropper)

    def _make_settings(self, model_streams: tuple[str, ...], face_cropper: FaceCropper) -> Settings:
        """Windows are as long as a view of the model, or as the sound that a pipeline without views takes at most."""
        facts = sampling_facts(self._pipeline)
        if math.isinf(facts['window_frames']):
            if self.stream == 'video':
                raise ValueError('the pipeline of the config has no SampleClips, which chooses the frames of a video')
            facts['window_frames'] = _longest_seconds(self._pipeline) * facts['nominal_fps']
        return Settings(
            pipeline=self._pipeline,
            model_streams=model_streams,
            streams=(self.stream,),
            may_lack_streams=True,
            window_seconds=None,
            stride_seconds=None,
            frame_rate_hz=AUTO,
            faces=build_face_options(face_cropper if self.stream == 'video' else None, None, _MIN_FACE_COVERAGE),
            **facts,
        )

    def __call__(
        self, clips: Any, rate_hz: float | None = None, batch_size: int = 8
    ) -> EncoderFeatures | list[EncoderFeatures]:
        """Encodes clips of any length.

        Args:
            clips: A waveform ``(S,)`` or ``(channels, S)`` of floats in -1..1, or frames ``(T, H, W, 3)`` uint8 RGB, as
                an array or a tensor; the path of a file; a dictionary as
                :class:`~hicmae_mm.apis.EmotionInferencer` takes it; or a list of any of these.
            rate_hz: Sampling rate of waveforms, or frame rate of frames. Only for arrays and tensors: a file or a
                dictionary states its own rate.
            batch_size: Number of windows that are encoded at once.

        Returns:
            The features of the clip; for a list, a list of them.

        Raises:
            FileNotFoundError: If a file does not exist.
            MediaError: If a clip is broken, lacks the stream, or is too short.
            TypeError: If an input has another type.
            ValueError: If an array has another shape or no rate, or if ``rate_hz`` is given without any array.
        """
        if batch_size < 1:
            raise ValueError(f'batch_size must be at least 1, got {batch_size}')
        is_list = isinstance(clips, (list, tuple))
        items = clips if is_list else [clips]
        if rate_hz is not None and items and all(isinstance(item, (str, Path, Mapping)) for item in items):
            raise ValueError(
                f'rate_hz={rate_hz} is for arrays and tensors, but none is given: files and dictionaries state their '
                'own rate. Leave rate_hz out'
            )
        inputs = [clip for item in items for clip in as_clips(self._as_input(item, rate_hz))]
        found: list[list[WindowFeatures]] = [[] for _ in inputs]
        waiting: list[tuple[int, PreparedWindow]] = []
        for pair in self._windows(inputs):
            waiting.append(pair)
            if len(waiting) == batch_size:
                self._encode(waiting, found)
                waiting = []
        if waiting:
            self._encode(waiting, found)
        features = [join_windows(windows) for windows in found]
        return features[0] if len(features) == 1 and not is_list else features

    def _as_input(self, clip: Any, rate_hz: float | None) -> Any:
        if isinstance(clip, (str, Path, Mapping)):
            return clip
        if not isinstance(clip, (np.ndarray, Tensor)):
            raise TypeError(f'a clip must be an array, a tensor, a path or a dictionary, got {type(clip).__name__}')
        if self.stream == 'video':
            return dict(frames=clip, fps=rate_hz)
        return dict(waveform=clip, sample_rate_hz=rate_hz)

    def _windows(self, clips: Sequence[ClipInput]) -> Iterator[tuple[int, PreparedWindow]]:
        """Yields the windows of all clips that can be encoded, each with the number of its clip."""
        for number, clip in enumerate(clips):
            with OpenClip(clip, (self.stream,), self._settings.backend) as opened:
                if opened.missing:
                    raise MediaError(f'{clip.name} has no {self.stream}: {opened.missing[self.stream]}')
                length = WindowedClip(opened, self._settings).window_seconds
                count, reason = 0, ''
                for window in WindowedClip(opened, replace(self._settings, stride_seconds=length)):
                    reason = window.absent.get(self.stream, reason)
                    if window.packed is not None:
                        count += 1
                        yield number, window
            if not count:
                if reason == SOUND_ENDED:
                    reason = 'the sound is too short, 28 ms are the least'
                raise MediaError(f'{clip.name} cannot be encoded: {reason}')

    @torch.inference_mode()
    def _encode(self, windows: Sequence[tuple[int, PreparedWindow]], found: list[list[WindowFeatures]]) -> None:
        batch = self._collate([window.packed for _, window in windows])
        batch = {key: batch[key] for key in ('inputs', 'data_samples')}  # without masks
        stream: Stream = self._preprocessor(batch, False)['inputs'][self.stream]
        output = self.encoder(stream)
        padding = output.padding
        steps = [self.encoder.split_steps(layer, stream).mean(2) for layer in output.hidden]
        layers = torch.stack(steps)  # (L, V, T, D)
        utterances = mean_tokens(output.tokens, padding)
        first = 0
        for (number, window), sample in zip(windows, batch['data_samples']):
            rows = slice(first, first + int(sample.get('num_views', 1)))
            start, end = window.window.start_seconds, window.window.end_seconds
            times = start + self._times(sample, stream, layers.shape[2], rows, padding, end - start)
            found[number].append(
                WindowFeatures(
                    utterances[rows].float().cpu(),
                    layers[:, rows].float().cpu(),
                    torch.as_tensor(times, dtype=torch.float32),
                )
            )
            first = rows.stop

    def _times(
        self,
        sample: EmotionDataSample,
        stream: Stream,
        num_steps: int,
        rows: slice,
        padding: Tensor | None,
        seconds: float,
    ) -> np.ndarray:
        """Returns the start of every step of a window's views, ``(V, T)`` seconds from the start of the window."""
        num_views = rows.stop - rows.start
        if self.stream == 'video':
            return video_times(sample, num_views, num_steps)
        if isinstance(stream, Tensor) and stream.ndim == 4:
            return spectrogram_times(sample, num_views, num_steps, stream.shape[-2], seconds)
        num_tokens = np.full(num_views, num_steps) if padding is None else (~padding[rows]).sum(1).cpu().numpy()
        rate = next(step.sample_rate_hz for step in self._pipeline if hasattr(step, 'sample_rate_hz'))
        return waveform_times(stream, rows, num_tokens, num_steps, rate, self.encoder.token_seconds)


def _longest_seconds(pipeline: Sequence[Any]) -> float:
    """Returns how much sound a pipeline takes at most (seconds)."""
    limits = [step.max_seconds for step in pipeline if isinstance(step, WholeTrack) and step.max_seconds is not None]
    limits += [step.window_seconds for step in pipeline if isinstance(step, ExtractorSpectrogram)]
    return min(limits, default=math.inf)


def load_encoder(
    model: str | Path | Mapping[str, Any],
    weights: str | Path | None = None,
    stream: str | None = None,
    device: str | torch.device | None = None,
    face_cropper: FaceCropper = AUTO,
    trust_source: bool = False,
) -> LoadedEncoder:
    """Loads the encoder of one stream of a model, which then encodes sound or pictures of any length.

    Sound is resampled and mixed to one channel, and pictures are cropped, as the test pipeline of the model's config
    says. A clip that is longer than a view of the model is encoded in windows, one after the other.

    Args:
        model: Folder of a training, path or name of a config, or a config; see
            :class:`~hicmae_mm.apis.EmotionInferencer`. It may be pre-trained or fine-tuned. The folder of a speech
            model of transformers (wav2vec 2.0, HuBERT, WavLM) needs no config.
        weights: Path or address of weights. None means the weights of the model.
        stream: ``'audio'`` or ``'video'``. None means the only stream of the model.
        device: Device such as ``'cpu'`` or ``'cuda'``. None means the fastest device of this machine.
        face_cropper: See :class:`~hicmae_mm.apis.EmotionInferencer`.
        trust_source: Whether the config in a folder of weights may run code. By default it is read as data.

    Returns:
        The encoder: ``encoder(waveform, 16000)``, ``encoder(frames, 25)`` or ``encoder(path)`` returns
        :class:`~hicmae_mm.apis.EncoderFeatures`.

    Raises:
        FileNotFoundError: If the config or the weights do not exist.
        ValueError: If the model has no such stream, or no weights.

    Example:
        >>> import tempfile
        >>> import numpy as np, torch
        >>> from mmengine.config import Config
        >>> from hicmae_mm.apis import load_encoder
        >>> from hicmae_mm.registry import MODELS
        >>> config, weights = 'configs/hicmae_nano_audio_synthetic.py', f'{tempfile.mkdtemp()}/untrained.pth'
        >>> torch.save(MODELS.build(Config.fromfile(config).model).state_dict(), weights)
        >>> encoder = load_encoder(config, weights, device='cpu')
        >>> encoder(np.zeros(32000, np.float32), 16000).utterance.shape
        torch.Size([96])
    """
    if weights is None and is_foreign_folder(model):
        folder = Path(str(model)).expanduser()
        resolved = ResolvedModel(folder.name, config_of_folder(folder), None)
    else:
        resolved = resolve_model(model, weights, trust_source)
    encoders = (resolved.cfg.get('model') or {}).get('encoders') or {}
    known = [name for name in STREAMS if name in encoders]
    if stream is None and len(known) == 1:
        stream = known[0]
    if stream not in known:
        raise ValueError(f'stream must be one of {known}, the streams of {resolved.name} with media, got {stream!r}')
    loaded = LoadedEncoder(resolved.cfg, stream, resolved.weights, device or get_device(), face_cropper)
    if resolved.weights is None and not getattr(loaded.encoder, 'reads_weights', False):
        raise ValueError(f'no weights of {resolved.name} are published: name a file by weights=, or train it first')
    return loaded
