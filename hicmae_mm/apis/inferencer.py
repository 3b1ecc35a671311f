"""Recognise emotion in your own videos: clips of any length, in one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.infer import BaseInferencer
from rich.progress import track
from torch import nn

from hicmae_mm.apis.backends import ExportedModel, build_torch_model, resolve_for
from hicmae_mm.apis.batching import Batch, batch_conversations, batch_windows, iterate_windows
from hicmae_mm.apis.faces import build_face_options
from hicmae_mm.apis.files import draw_timelines, write_results
from hicmae_mm.apis.further import MEDIA, find_readings
from hicmae_mm.apis.results import ClipReport, Names, predicted_fields
from hicmae_mm.apis.settings import (
    Settings,
    build_pipeline,
    check_options,
    check_positive,
    chosen_streams,
    sampling_facts,
    test_dataset,
)
from hicmae_mm.config.collation import collate_of
from hicmae_mm.config.facts import dataset_facts
from hicmae_mm.datasets.clips.inputs import ClipInput, as_clips
from hicmae_mm.datasets.faces import BaseFaceCropper, CropOptions
from hicmae_mm.structures import EmotionDataSample


class EmotionInferencer(BaseInferencer):
    """Recognises emotion in clips of a user.

    Every window of a clip goes through the test pipeline of the model's own config. So a test clip that fits into one
    window gets exactly the scores that ``tools/test.py`` gives it.

    Args:
        model: The model: the name of a shipped config, the path of a config, the folder of a training or of published
            weights (``local-dir:PATH``), weights that contain their config, a hub id ``org/name``, or a config. See
            :mod:`hicmae_mm.apis.model_zoo`. It can be omitted with ``backend='onnxruntime'``.
        weights: Path or address of weights. None means the weights of the model. With ``backend='onnxruntime'`` it is
            the folder that ``tools/export.py`` wrote.
        device: Device such as ``'cpu'`` or ``'cuda'``. None means the fastest device of this machine.
        backend: ``'torch'`` or ``'onnxruntime'``.
        face_cropper: Finds faces and cuts them out: the name or config of a component of ``FACE_CROPPERS``, or a built
            cropper. ``'auto'`` means ``YuNet``, but square pictures of up to 256 pixels are used unchanged, because
            face croppers write such pictures. None means that all pictures are used unchanged.
        crop_options: Size, margin and smoothing of the crops, and the choice among several faces. None means the
            defaults of the cropper and the face that appears most.
        min_face_coverage: Smallest share of frames with a face, in 0..1. A window with a smaller share counts as a
            window without a face.
        frame_rate_hz: Rate at which videos are read. None keeps the rate of each video. A number sets it. ``'auto'``
            keeps rates between 20 and 35 frames per second and replaces others by the rate of the corpora, because a
            model sees a fixed number of frames.
        missing_streams: Treatment of clips that lack a stream: ``'error'`` or ``'zero'`` (the model scores them
            without it; see docs/modalities.md). None means what the model was trained for.
        show_progress: Whether to show a progress bar.
        trust_source: Whether the config in a folder of weights may run code. By default it is read as data.

    Raises:
        FileNotFoundError: If the config or the weights do not exist.
        ValueError: If the model is unknown, has no weights, or predicts no emotion.
        TypeError: If ``model`` or ``face_cropper`` has another type.

    Example:
        >>> import tempfile
        >>> import numpy as np, torch
        >>> from mmengine.config import Config
        >>> from hicmae_mm.apis import EmotionInferencer
        >>> from hicmae_mm.registry import MODELS
        >>> config, weights = 'configs/hicmae_nano_audio_synthetic.py', f'{tempfile.mkdtemp()}/untrained.pth'
        >>> torch.save(MODELS.build(Config.fromfile(config).model).state_dict(), weights)
        >>> inferencer = EmotionInferencer(config, weights, device='cpu')
        >>> inferencer(dict(waveform=np.zeros(32000, np.float32), sample_rate_hz=16000))['predictions'][0]['name']
        'clip'
    """

    def __init__(
        self,
        model: str | Path | Mapping[str, Any] | None = None,
        weights: str | Path | None = None,
        device: str | None = None,
        backend: str = 'torch',
        face_cropper: str | Mapping[str, Any] | BaseFaceCropper | None = 'auto',
        crop_options: CropOptions | None = None,
        min_face_coverage: float = 0.25,
        frame_rate_hz: float | str | None = 'auto',
        missing_streams: str | None = None,
        show_progress: bool = False,
        trust_source: bool = False,
    ) -> None:
        check_options(backend, missing_streams, frame_rate_hz)
        self.backend, self.frame_rate_hz = backend, frame_rate_hz
        resolved = resolve_for(backend, model, weights, trust_source)
        has_video = 'video' in resolved.cfg.model.encoders  # else no detector is needed
        self.faces = build_face_options(face_cropper if has_video else None, crop_options, min_face_coverage)
        super().__init__(resolved.cfg, resolved.weights, device, 'hicmae_mm', show_progress)
        self.name = resolved.name
        facts = dataset_facts(resolved.cfg)
        fields = predicted_fields(self.model)
        self.names = Names(resolved.classes or facts.get('classes'), facts.get('dimensions'), facts, fields)
        encoders = resolved.cfg.model.encoders
        self.streams = tuple(dict.fromkeys([*(name for name in MEDIA if name in encoders), *encoders]))
        self.readings = find_readings(self.pipeline, encoders)
        trained_for = 'error' if backend == 'onnxruntime' else resolved.cfg.model.get('missing_streams', 'error')
        self.was_trained_to_lack = trained_for == 'zero'
        self.may_lack_streams = self.was_trained_to_lack if missing_streams is None else missing_streams == 'zero'
        if backend == 'onnxruntime' and self.may_lack_streams:
            raise ValueError("missing_streams='zero' needs backend='torch': an exported model takes every stream")

    # MMEngine's BaseInferencer calls this private method, and has no public one in its place
    def _init_model(self, cfg: Any, weights: str | None, device: str = 'cpu') -> nn.Module:
        assert weights is not None
        return ExportedModel(cfg, weights) if self.backend == 'onnxruntime' else build_torch_model(cfg, weights, device)

    # MMEngine's BaseInferencer calls this private method, and has no public one in its place
    def _init_pipeline(self, cfg: Any) -> list[Callable[[dict[str, Any]], dict[str, Any] | None]]:
        return build_pipeline(cfg)

    # MMEngine's BaseInferencer calls this private method, and has no public one in its place
    def _init_collate(self, cfg: Any) -> Callable[..., Any]:
        return collate_of(cfg)

    # MMEngine's BaseInferencer calls this private method, and has no public one in its place
    def _init_visualizer(self, cfg: Any) -> None:  # noqa: ARG002 (MMEngine's signature)
        return None

    def __call__(
        self,
        inputs: Any,
        return_datasamples: bool = False,
        batch_size: int = 8,
        window_seconds: float | None = None,
        stride_seconds: float | None = None,
        streams: Sequence[str] | None = None,
        out_dir: str | Path | None = None,
        on_error: str = 'raise',
    ) -> dict[str, Any]:
        """Recognises emotion in clips.

        Args:
            inputs: Path of a file, of a folder of files, or of a folder of numbered pictures;
                ``dict(frames=(T, H, W, 3) uint8 RGB, fps=..., waveform=(S,) or (C, S), sample_rate_hz=...)``;
                ``dict(video=path, audio=path)``; or a list of any of these. Keys can be omitted, and ``name`` can be
                added. Other streams of the model are further keys: a text or the path of a transcript (``.txt``,
                ``.srt``, ``.vtt``), an array or the path of a ``.npy`` file of features.
            return_datasamples: Whether to return an ``EmotionDataSample`` for each clip instead of a dictionary.
            batch_size: Number of windows that the model gets at once. They can belong to several clips. A model of
                conversations gets whole conversations.
            window_seconds: Length of a window. None means the length that one view of the model spans.
                ``float('inf')`` means that the whole clip is one window, as in testing. A clip that is at most 25 %
                longer than a window is one window, too.
            stride_seconds: Time from the start of one window to the start of the next. None means half a window.
            streams: Names of the model's streams to use. None means all.
            out_dir: Folder for ``NAME.json`` and ``NAME.png`` (the timeline) of every clip. None writes nothing.
            on_error: ``'raise'`` or ``'skip'``. With ``'skip'`` the result of a clip that cannot be read or scored is
                ``dict(name=..., error=...)``.

        Returns:
            A dictionary with ``predictions``, one dictionary for each clip (see docs/inference.md), and
            ``visualization``, the paths of the timelines.

        Raises:
            FileNotFoundError: If an input does not exist.
            MediaError: If a clip is broken, or lacks a stream that the model needs.
            ValueError: If an option is out of range.
        """
        if on_error not in ('raise', 'skip'):
            raise ValueError(f"on_error must be 'raise' or 'skip', got {on_error!r}")
        clips = self._inputs_to_list(inputs)
        reports: list[ClipReport] = []
        settings = self.settings(window_seconds, stride_seconds, streams)
        for batch in self.preprocess(clips, batch_size, settings, on_error, reports):
            self.forward(batch)
        notes = [] if self.was_trained_to_lack else settings.notes()
        results = [report.to_dict(self.name, notes, on_error) for report in reports]
        visualization = self.visualize(clips, results, out_dir)
        samples = [report.to_sample() for report in reports] if return_datasamples else None
        return self.postprocess(results, visualization, samples, out_dir)

    # MMEngine's BaseInferencer calls this private method, and has no public one in its place
    def _inputs_to_list(self, inputs: Any) -> list[ClipInput]:
        return as_clips(inputs, others=self.readings)

    def settings(
        self,
        window_seconds: float | None = None,
        stride_seconds: float | None = None,
        streams: Sequence[str] | None = None,
    ) -> Settings:
        """Makes the settings for cutting clips. The arguments are those of :meth:`__call__`.

        Raises:
            ValueError: If an option is out of range, or the model does not have a stream.
        """
        check_positive(window_seconds=window_seconds, stride_seconds=stride_seconds)
        chosen = chosen_streams(streams, self.streams)
        if chosen != self.streams and self.backend == 'onnxruntime':
            raise ValueError(f"streams={chosen} needs backend='torch': an exported model takes every stream")
        return Settings(
            pipeline=self.pipeline,
            model_streams=self.streams,
            streams=chosen,
            may_lack_streams=self.may_lack_streams,
            window_seconds=window_seconds,
            stride_seconds=stride_seconds,
            frame_rate_hz=self.frame_rate_hz,
            faces=self.faces,
            readings=self.readings,
            predicts_frames=getattr(getattr(self.model, 'head', None), 'level', 'clip') == 'frame',
            reads_conversations=hasattr(self.model, 'conversation'),
            data_root=test_dataset(self.cfg).get('data_root') or '',
            **sampling_facts(self.pipeline),
        )

    def preprocess(
        self,
        inputs: Iterable[ClipInput],
        batch_size: int = 8,
        settings: Settings | None = None,
        on_error: str = 'raise',
        reports: list[ClipReport] | None = None,
    ) -> Iterator[Batch]:
        """Reads clips one after the other, and makes batches of their windows.

        Args:
            inputs: The clips.
            batch_size: Number of windows in a batch that can be scored.
            settings: See :meth:`settings`. None means the default settings.
            on_error: See :meth:`__call__`.
            reports: List to which the report of every clip is added. :meth:`forward` adds predictions to the reports.

        Yields:
            Pairs of report and window, and the collated data of those windows that can be scored.

        Raises:
            FileNotFoundError: If an input does not exist and ``on_error`` is ``'raise'``.
            MediaError: If a clip cannot be read and ``on_error`` is ``'raise'``.
            ValueError: If ``batch_size`` is below 1.
        """
        shown = track(list(inputs), 'Recognising emotion') if self.show_progress else inputs
        found: list[ClipReport] = [] if reports is None else reports
        windows = iterate_windows(shown, settings or self.settings(), self.names, on_error, found)
        conversation = getattr(self.model, 'conversation', None)  # column of a ConversationRecognizer
        if conversation is None:
            yield from batch_windows(windows, batch_size, self.collate_fn)
        else:
            yield from batch_conversations(windows, conversation, self.model.speaker, self.collate_fn)

    @torch.inference_mode()
    def forward(self, inputs: Batch) -> list[EmotionDataSample]:
        """Scores a batch of :meth:`preprocess`, and adds the scores to the reports of its clips.

        Args:
            inputs: The batch.

        Returns:
            One sample with predictions for each window that can be scored.
        """
        pairs, data = inputs
        samples = [] if data is None else self.model.test_step(data)
        remaining = iter(samples)
        for report, window in pairs:
            report.add(window, None if window.packed is None else next(remaining))
            window.packed = None  # frees its pictures, which are not needed any more
        return samples

    def visualize(
        self, inputs: Sequence[ClipInput], preds: Sequence[dict[str, Any]], out_dir: str | Path | None = None
    ) -> list[str | None]:
        """Draws the timeline of every clip into ``out_dir``; without a folder it draws nothing.

        Returns:
            Paths of the pictures. None stands for a clip without a result.
        """
        return [] if out_dir is None else draw_timelines(inputs, preds, Path(out_dir))

    def postprocess(
        self,
        preds: Sequence[dict[str, Any]],
        visualization: Sequence[str | None],
        return_datasamples: Sequence[EmotionDataSample] | None = None,
        out_dir: str | Path | None = None,
    ) -> dict[str, Any]:
        """Collects the results, and writes them to a folder if one is given.

        Args:
            preds: Results of the clips.
            visualization: Paths of their timelines.
            return_datasamples: Data samples to return in place of the results.
            out_dir: Folder for a JSON file of each result.

        """
        if out_dir is not None:
            write_results(preds, Path(out_dir))
        predictions = list(preds) if return_datasamples is None else list(return_datasamples)
        return dict(predictions=predictions, visualization=list(visualization))
