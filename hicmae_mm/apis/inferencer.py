"""Emotion in one's own video: any clip, of any length, in one call."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.infer import BaseInferencer
from rich.progress import track
from torch import nn

from hicmae_mm.apis.backends import BACKENDS, ExportedModel, build_torch_model, check_predicts, resolve_exported
from hicmae_mm.apis.clip import PreparedWindow, Settings, WindowedClip
from hicmae_mm.apis.faces import AUTO, build_face_options
from hicmae_mm.apis.model_zoo import resolve_model
from hicmae_mm.apis.results import ClipReport, Names
from hicmae_mm.config.facts import dataset_facts
from hicmae_mm.datasets.clips.inputs import ClipInput, as_clips
from hicmae_mm.datasets.clips.media import OpenClip
from hicmae_mm.datasets.collate import collate_audio_visual
from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.faces import BaseFaceCropper, CropOptions
from hicmae_mm.datasets.transforms import OpenVideo, SampleClips
from hicmae_mm.registry import TRANSFORMS
from hicmae_mm.structures import EmotionDataSample
from hicmae_mm.utils.files import write_text
from hicmae_mm.visualization.hooks.prediction_visualization import safe_file_name

Batch = tuple[list[tuple[ClipReport, PreparedWindow]], dict[str, Any] | None]


class EmotionInferencer(BaseInferencer):
    """Recognises emotion in clips of a user.

    Every window of a clip goes through the test pipeline of the model's own config, so the one window of a test clip
    gets exactly the scores that ``tools/test.py`` gives it.

    Args:
        model: Name of a shipped config, path of a config, folder of a training or of published weights
            (``local-dir:PATH``), weights that hold their config, hub id ``org/name``, or a config; see
            :mod:`hicmae_mm.apis.model_zoo`. With ``backend='onnxruntime'`` it may be left out.
        weights: File or address of weights; None: those of the model. With ``backend='onnxruntime'`` the folder that
            ``tools/export.py`` wrote.
        device: ``'cpu'``, ``'cuda'``, ...; None: the best there is.
        backend: ``'torch'`` or ``'onnxruntime'``.
        face_cropper: How faces are found and cut out: name or config of a component of ``FACE_CROPPERS``, or a built
            one. ``'auto'``: ``YuNet``, but square pictures of up to 256 pixels, as face croppers write them, are taken
            as they are. None: all pictures are taken as they are.
        crop_options: Size, margin, smoothing, which of several faces; None: the cropper's, and of several faces the one
            that is seen most.
        min_face_coverage: Share of a window's frames with a face, below which the window has none.
        frame_rate_hz: Rate at which videos are read: None, their own; a number; or ``'auto'``: their own if it is
            between 20 and 35 frames per second, else that of the corpora, for a model counts frames.
        missing_streams: What to do with clips that lack a stream: ``'error'``, ``'zero'`` (the model does without; see
            docs/modalities.md), or None: what the model was trained for.
        show_progress: Whether to draw a progress bar.
        trust_source: Whether the config in a folder of weights may run code; by default it is read as data.

    Raises:
        FileNotFoundError: If config or weights are not there.
        ValueError: If the model is not known, has no weights, or predicts no emotion.
    """

    def __init__(
        self,
        model: str | Path | Mapping | None = None,
        weights: str | Path | None = None,
        device: str | None = None,
        backend: str = 'torch',
        face_cropper: str | Mapping | BaseFaceCropper | None = 'auto',
        crop_options: CropOptions | None = None,
        min_face_coverage: float = 0.25,
        frame_rate_hz: float | str | None = 'auto',
        missing_streams: str | None = None,
        show_progress: bool = False,
        trust_source: bool = False,
    ) -> None:
        if backend not in BACKENDS:
            raise ValueError(f'backend must be one of {BACKENDS}, got {backend!r}')
        if missing_streams not in (None, 'error', 'zero'):
            raise ValueError(f"missing_streams must be 'error', 'zero' or None, got {missing_streams!r}")
        if not (frame_rate_hz in (None, AUTO) or (not isinstance(frame_rate_hz, str) and frame_rate_hz > 0)):
            raise ValueError(f"frame_rate_hz must be a number above 0, 'auto' or None, got {frame_rate_hz!r}")
        self.backend, self.frame_rate_hz = backend, frame_rate_hz
        resolved = (
            resolve_exported(model, weights)
            if backend == 'onnxruntime'
            else resolve_model(model, weights, trust_source)
        )
        check_predicts(resolved)
        has_video = 'video' in resolved.cfg.model.encoders  # else no detector is needed
        self.faces = build_face_options(face_cropper if has_video else None, crop_options, min_face_coverage)
        if resolved.weights is None:
            raise ValueError(f'no weights of {resolved.name} are published: name a file by weights=, or train it first')
        super().__init__(resolved.cfg, resolved.weights, device, 'hicmae_mm', show_progress)
        self.name = resolved.name
        facts = dataset_facts(resolved.cfg)
        self.names = Names(resolved.classes or facts.get('classes'), facts.get('dimensions'))
        self.streams = tuple(name for name in ('video', 'audio') if name in resolved.cfg.model.encoders)
        trained_for = 'error' if backend == 'onnxruntime' else resolved.cfg.model.get('missing_streams', 'error')
        self.was_trained_to_lack = trained_for == 'zero'
        self.may_lack_streams = self.was_trained_to_lack if missing_streams is None else missing_streams == 'zero'
        if backend == 'onnxruntime' and self.may_lack_streams:
            raise ValueError("missing_streams='zero' needs backend='torch': an exported model takes every stream")

    def _init_model(self, cfg: Any, weights: str | None, device: str = 'cpu') -> nn.Module:
        assert weights is not None
        return ExportedModel(cfg, weights) if self.backend == 'onnxruntime' else build_torch_model(cfg, weights, device)

    def _init_pipeline(self, cfg: Any) -> list[Callable[[dict[str, Any]], dict[str, Any] | None]]:
        return [TRANSFORMS.build(step) for step in test_dataset(cfg).pipeline]

    def _init_collate(self, cfg: Any) -> Callable:  # noqa: ARG002 (MMEngine's signature)
        return collate_audio_visual

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
            inputs: Path of a file, a folder of files or of numbered pictures; ``dict(frames=(T, H, W, 3) uint8 RGB,
                fps=..., waveform=(S,) or (C, S), sample_rate_hz=...)``; ``dict(video=path, audio=path)``; or a list of
                any of these. Keys may be left out, ``name`` may be added.
            return_datasamples: Whether to return an ``EmotionDataSample`` per clip in place of a dictionary.
            batch_size: Windows that the model gets at a time, of one clip or several.
            window_seconds: Length of a window; None: what a view of the model spans. ``float('inf')``: the whole clip
                is one window, as in testing. A clip up to a quarter longer than a window is one window, too.
            stride_seconds: From the start of a window to that of the next; None: half a window.
            streams: Which of the model's streams to use; None: all.
            out_dir: Where to write ``NAME.json`` and ``NAME.png``, the timeline, of every clip.
            on_error: ``'raise'``, or ``'skip'``: the result of a clip that cannot be read or scored is
                ``dict(name=..., error=...)``.

        Returns:
            ``predictions``, a dictionary per clip (see docs/inference.md), and ``visualization``, the files of the
            timelines.

        Raises:
            FileNotFoundError: If an input does not exist.
            MediaError: If a clip is broken, or lacks a stream that the model cannot do without.
            ValueError: If an option is out of its range.
        """
        if on_error not in ('raise', 'skip'):
            raise ValueError(f"on_error must be 'raise' or 'skip', got {on_error!r}")
        clips = self._inputs_to_list(inputs)
        reports: list[ClipReport] = []
        settings = self.settings(window_seconds, stride_seconds, streams)
        for batch in self.preprocess(clips, batch_size, settings, on_error, reports):
            self.forward(batch)
        notes = self._notes(settings.streams)
        results = [report.to_dict(self.name, notes, on_error) for report in reports]
        visualization = self.visualize(clips, results, out_dir)
        samples = [report.to_sample() for report in reports] if return_datasamples else None
        return self.postprocess(results, visualization, samples, out_dir)

    def _inputs_to_list(self, inputs: Any) -> list[ClipInput]:
        return as_clips(inputs)

    def settings(
        self,
        window_seconds: float | None = None,
        stride_seconds: float | None = None,
        streams: Sequence[str] | None = None,
    ) -> Settings:
        """How clips are cut; see :meth:`__call__`.

        Raises:
            ValueError: If an option is out of its range, or the model lacks a stream.
        """
        for name, value in (('window_seconds', window_seconds), ('stride_seconds', stride_seconds)):
            if value is not None and not value > 0:
                raise ValueError(f'{name} must be above 0, got {value}')
        chosen = self.streams if streams is None else (streams,) if isinstance(streams, str) else tuple(streams)
        if not chosen or not set(chosen) <= set(self.streams):
            raise ValueError(f'streams must be some of {self.streams}, which the model has, got {chosen}')
        chosen = tuple(name for name in self.streams if name in chosen)
        if chosen != self.streams and self.backend == 'onnxruntime':
            raise ValueError(f"streams={chosen} needs backend='torch': an exported model takes every stream")
        sampling = next(step for step in self.pipeline if isinstance(step, SampleClips))
        opening = next(step for step in self.pipeline if isinstance(step, OpenVideo))
        return Settings(
            pipeline=self.pipeline,
            model_streams=self.streams,
            streams=chosen,
            may_lack_streams=self.may_lack_streams,
            window_seconds=window_seconds,
            stride_seconds=stride_seconds,
            window_frames=sampling.clip_len * sampling.frame_interval,
            nominal_fps=opening.nominal_fps,
            frame_rate_hz=self.frame_rate_hz,
            faces=self.faces,
            backend=opening.backend,
        )

    def _notes(self, streams: Sequence[str]) -> list[str]:
        if tuple(streams) == self.streams or self.was_trained_to_lack:
            return []
        left_out = ' and '.join(name for name in self.streams if name not in streams)
        return [f'{left_out} left out on request; the model was not trained to do without, expect worse scores']

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
            inputs: Clips.
            batch_size: Windows at a time.
            settings: See :meth:`settings`.
            on_error: See :meth:`__call__`.
            reports: Filled with the report of every clip, which :meth:`forward` adds predictions to.

        Yields:
            Windows, and those of them that can be scored, collated.
        """
        if batch_size < 1:
            raise ValueError(f'batch_size must be at least 1, got {batch_size}')
        waiting: list[tuple[ClipReport, PreparedWindow]] = []
        for pair in self._windows(inputs, settings or self.settings(), on_error, [] if reports is None else reports):
            waiting.append(pair)
            if sum(window.packed is not None for _, window in waiting) == batch_size:
                yield self._collated(waiting)
                waiting = []
        if waiting:
            yield self._collated(waiting)

    def _windows(
        self, clips: Iterable[ClipInput], settings: Settings, on_error: str, reports: list[ClipReport]
    ) -> Iterator[tuple[ClipReport, PreparedWindow]]:
        for clip in track(list(clips), 'Recognising emotion') if self.show_progress else clips:
            report = ClipReport(clip.name, self.names)
            reports.append(report)
            try:
                with OpenClip(clip, settings.streams, settings.backend) as opened:
                    report.clip = WindowedClip(opened, settings)
                    for window in report.clip:
                        yield report, window
            except (MediaError, FileNotFoundError) as error:
                if on_error == 'raise':
                    raise
                report.error = str(error)

    def _collated(self, pairs: list[tuple[ClipReport, PreparedWindow]]) -> Batch:
        packed = [window.packed for _, window in pairs if window.packed is not None]
        return pairs, self.collate_fn(packed) if packed else None

    @torch.inference_mode()
    def forward(self, inputs: Batch) -> list[EmotionDataSample]:  # type: ignore[override]
        """Scores a batch of :meth:`preprocess`, and enters the scores into the reports of its clips."""
        pairs, data = inputs
        samples = [] if data is None else self.model.test_step(data)
        remaining = iter(samples)
        for report, window in pairs:
            report.windows.append((window, None if window.packed is None else next(remaining)))
            window.packed = None  # its pictures are not needed any more
        return samples

    def visualize(  # type: ignore[override]
        self, inputs: Sequence[ClipInput], preds: Sequence[dict[str, Any]], out_dir: str | Path | None = None
    ) -> list[str | None]:
        """Draws the timeline of every clip into a folder; without one nothing is drawn.

        Returns:
            Names of the pictures; None for clips without a result.
        """
        if out_dir is None:
            return []
        from hicmae_mm.visualization import save_figure  # matplotlib only where it draws
        from hicmae_mm.visualization.timeline import draw_timeline, read_envelope

        files: list[str | None] = []
        for clip, result, stem in zip(inputs, preds, file_stems(preds), strict=True):
            if 'error' in result:
                files.append(None)
                continue
            with OpenClip(clip, ('video', 'audio') if clip.shares_clock else ('audio',)) as opened:
                figure = draw_timeline(result, read_envelope(opened.audio))
            files.append(str(save_figure(figure, Path(out_dir) / f'{stem}.png')))
        return files

    def postprocess(  # type: ignore[override]
        self,
        preds: Sequence[dict[str, Any]],
        visualization: Sequence[str | None],
        return_datasamples: Sequence[EmotionDataSample] | None = None,
        out_dir: str | Path | None = None,
    ) -> dict[str, Any]:
        """Puts results together, and writes them to a folder, if there is one."""
        if out_dir is not None:
            for result, stem in zip(preds, file_stems(preds), strict=True):
                write_text(Path(out_dir) / f'{stem}.json', json.dumps(result, indent=2) + '\n')
        predictions = list(preds) if return_datasamples is None else list(return_datasamples)
        return dict(predictions=predictions, visualization=list(visualization))


def test_dataset(cfg: Any) -> Any:
    """Config of the data that a model is tested on, inside of any wrappers.

    Raises:
        ValueError: If there is none.
    """
    dataset = (cfg.get('test_dataloader') or {}).get('dataset')
    while dataset and 'pipeline' not in dataset:
        dataset = (dataset.get('datasets') or [dataset.get('dataset')])[0]
    if not dataset:
        raise ValueError('the config has no test_dataloader with a pipeline: there is no telling how to read clips')
    return dataset


def file_stems(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the clips' files without suffix, none twice."""
    stems: list[str] = []
    for result in results:
        stem = safe_file_name(Path(result['name']).stem)
        number = 2
        unique = stem
        while unique in stems:
            unique = f'{stem}_{number}'
            number += 1
        stems.append(unique)
    return stems
