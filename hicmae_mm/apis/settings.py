"""Settings for cutting clips into windows, as the test pipeline of a model needs them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hicmae_mm.apis.backends import BACKENDS
from hicmae_mm.apis.faces import AUTO, FaceOptions
from hicmae_mm.apis.further import MEDIA, Reading
from hicmae_mm.datasets.clips.inputs import ClipInput
from hicmae_mm.datasets.transforms import OpenVideo, SampleClips
from hicmae_mm.registry import TRANSFORMS

Pipeline = Sequence[Callable[[dict[str, Any]], dict[str, Any] | None]]
_NOMINAL_FPS = 25.0


@dataclass(frozen=True)
class Settings:
    """Settings for cutting clips into windows; they are the same for all clips.

    Attributes:
        pipeline: The transforms of the model's test data.
        model_streams: Names of all streams of the model.
        streams: Names of the streams that the user asks for.
        may_lack_streams: Whether the model accepts clips without one of its streams.
        window_seconds: Length of a window. None means the length of ``window_frames`` frames.
        stride_seconds: Time from the start of one window to the start of the next. None means half a window.
        window_frames: Number of frames that one view of the model spans; infinite if it sees the whole clip.
        nominal_fps: Frame rate of the corpora on which the model was trained, in frames per second.
        frame_rate_hz: Rate at which videos are read. A number sets it. None keeps the rate of each video. ``'auto'``
            keeps it too, but uses ``nominal_fps`` for rates whose share of it is outside of :data:`USUAL_FRAME_RATES`.
        faces: Options for finding faces.
        backend: Name of the video reader; see :func:`~hicmae_mm.datasets.readers.video.open_video`.
        readings: Description of how the pipeline reads the streams that are neither pictures nor sound.
        predicts_frames: Whether the model has a prediction for each time step.
        reads_conversations: Whether the model works on the utterances of a conversation.
        data_root: Folder of the model's test data, from which paths in its pipeline start.
    """

    pipeline: Pipeline
    model_streams: tuple[str, ...]
    streams: tuple[str, ...]
    may_lack_streams: bool
    window_seconds: float | None
    stride_seconds: float | None
    window_frames: float
    nominal_fps: float
    frame_rate_hz: float | str | None
    faces: FaceOptions
    backend: str | None = None
    readings: Mapping[str, Reading] = field(default_factory=dict)
    predicts_frames: bool = False
    reads_conversations: bool = False
    data_root: str = ''

    @property
    def media(self) -> tuple[str, ...]:
        """Returns those of ``'video'`` and ``'audio'`` that the pipeline reads from media."""
        return tuple(name for name in self.streams if name in MEDIA and name not in self.readings)

    @property
    def takes_utterances(self) -> bool:
        """Returns whether subtitles are the windows of a clip."""
        return self.reads_conversations and self.window_seconds is None and self.stride_seconds is None

    def notes(self) -> list[str]:
        """Returns a warning if the user leaves out streams of the model."""
        if self.streams == self.model_streams:
            return []
        left_out = ' and '.join(name for name in self.model_streams if name not in self.streams)
        return [f'{left_out} left out on request; the model was not trained for that, so scores may be worse']

    def opened_streams(self, clip: ClipInput) -> tuple[str, ...]:
        """Returns the media to open. A clip whose media the model does not need is opened for its length."""
        if self.media:
            return self.media
        return ('video',) if clip.video is not None else ('audio',) if clip.audio is not None else ()


def check_options(backend: str, missing_streams: str | None, frame_rate_hz: float | str | None) -> None:
    """Refuses options of the inferencer that have no meaning.

    Raises:
        ValueError: If an option has an unknown value. The message names the option.
    """
    if backend not in BACKENDS:
        raise ValueError(f'backend must be one of {BACKENDS}, got {backend!r}')
    if missing_streams not in (None, 'error', 'zero'):
        raise ValueError(f"missing_streams must be 'error', 'zero' or None, got {missing_streams!r}")
    if not (frame_rate_hz in (None, AUTO) or (not isinstance(frame_rate_hz, str) and frame_rate_hz > 0)):
        raise ValueError(f"frame_rate_hz must be a number above 0, 'auto' or None, got {frame_rate_hz!r}")


def sampling_facts(pipeline: Pipeline) -> dict[str, Any]:
    """Reads from a pipeline how many frames a view spans, their nominal rate, and the video reader."""
    sampling = next((step for step in pipeline if isinstance(step, SampleClips)), None)
    opening = next((step for step in pipeline if isinstance(step, OpenVideo)), None)
    return dict(
        window_frames=math.inf if sampling is None else sampling.clip_len * sampling.frame_interval,
        nominal_fps=_NOMINAL_FPS if opening is None else opening.nominal_fps,
        backend=None if opening is None else opening.backend,
    )


def build_pipeline(cfg: Any) -> list[Callable[[dict[str, Any]], dict[str, Any] | None]]:
    """Builds the test pipeline of a model, without the transforms that read targets."""
    steps = [TRANSFORMS.build(step) for step in test_dataset(cfg).pipeline]
    return [step for step in steps if not getattr(step, 'reads_targets', False)]


def chosen_streams(streams: Sequence[str] | None, model_streams: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the streams that the user asks for, in the order of the model.

    Raises:
        ValueError: If the model does not have one of them.
    """
    if streams is None:
        return model_streams
    asked = (streams,) if isinstance(streams, str) else tuple(streams)
    if not asked or not set(asked) <= set(model_streams):
        raise ValueError(f'streams must be some of {model_streams}, which the model has, got {asked}')
    return tuple(name for name in model_streams if name in asked)


def check_positive(**seconds: float | None) -> None:
    """Refuses lengths that are not above 0.

    Raises:
        ValueError: If a length is not above 0. The message names the argument.
    """
    for name, value in seconds.items():
        if value is not None and not value > 0:
            raise ValueError(f'{name} must be above 0, got {value}')


def test_dataset(cfg: Any) -> Any:
    """Finds the config of the test data set of a model, inside of data set wrappers.

    Args:
        cfg: Config of the model.

    Returns:
        Config of the data set that has the pipeline.

    Raises:
        ValueError: If the config has no such data set.
    """
    dataset = (cfg.get('test_dataloader') or {}).get('dataset')
    while dataset and 'pipeline' not in dataset:
        dataset = (dataset.get('datasets') or [dataset.get('dataset')])[0]
    if not dataset:
        raise ValueError('the config has no test_dataloader with a pipeline, which says how clips are read')
    return dataset
