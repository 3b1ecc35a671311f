"""The systems of docs/plugins.md: which configs show them on the synthetic corpus, and the table of their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

MARKS = ('<!-- plugins: begin -->', '<!-- plugins: end -->')
ALL = 'all'
_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
_UAR = {'UAR': 1 / 6}
_MER = {'MER': 1 / 6 - 0.25 * 0.374}  # a guessed class, and the mean of a valence whose variance is 0.374
_THREE = ('audio', 'text', 'video')


@dataclass(frozen=True)
class PluginSystem:
    """Describes a system, its training, and those with one of its streams alone.

    Attributes:
        title: Name of the system in the table.
        config: Path of the config below ``configs``, without its ending.
        measures: Result key of the test -> what chance or a constant prediction gives. Higher is better.
        streams: Streams of the config; each is tried alone.
        alone: For each stream the overrides that leave it alone; by default the data sets get this stream only.
        alone_configs: For each stream a config that has it alone, where there is one.
        weights_of: Name of an earlier system whose checkpoints are tested without further training; empty means that
            this system is trained.
        frame_features_of: Name of an earlier system whose models of one stream make the features of frames; empty if
            none are needed.
    """

    title: str
    config: str
    measures: Mapping[str, float]
    streams: Sequence[str]
    alone: Mapping[str, Sequence[str]] = field(default_factory=dict)
    alone_configs: Mapping[str, str] = field(default_factory=dict)
    weights_of: str = ''
    frame_features_of: str = ''

    @property
    def config_name(self) -> str:
        """Returns the name of the config."""
        return self.config.rpartition('/')[2]

    @property
    def name(self) -> str:
        """Returns the name of the system: that of the config, unless other weights are tested."""
        return f'{self.config_name}_untrained' if self.weights_of else self.config_name

    def config_of(self, variant: str) -> str:
        """Returns the config of all streams (:data:`ALL`) or of one."""
        return self.alone_configs.get(variant, self.config)

    def overrides_of(self, variant: str) -> tuple[str, ...]:
        """Returns the values for ``--cfg-options`` of all streams (:data:`ALL`) or of one."""
        if variant == ALL or variant in self.alone_configs:
            return ()
        if variant in self.alone:
            return tuple(self.alone[variant])
        return tuple(f"{loader}.dataset.streams=('{variant}',)" for loader in _LOADERS)


def _without(option: str) -> tuple[str, ...]:
    return tuple(f'{loader}.dataset.pipeline.0.{option}=None' for loader in _LOADERS)


_DESCRIBED = ('words', 'action units')
_DESCRIBED_ALONE = {'words': _without('action_units'), 'action units': _without('transcript')}
SYSTEMS = (
    PluginSystem('MER2023 baseline', 'mer/mer2023_nano_synthetic', {**_UAR, **_MER}, _THREE),
    PluginSystem('MER2024 (MERTools)', 'mer/mer2024_nano_synthetic', {**_UAR, **_MER}, _THREE),
    PluginSystem('MER2024 (MERTools), sequences', 'mer/mer2024_nano_frames_synthetic', {**_UAR, **_MER}, _THREE),
    PluginSystem('EMT-DLFR', 'emt_dlfr/emt_dlfr_nano_synthetic', {'CCC': 0.0}, _THREE),
    PluginSystem('ARNet', 'partial_labels/arnet_nano_text_synthetic', _UAR, ('audio', 'text')),
    PluginSystem('ALIM', 'partial_labels/alim_nano_text_synthetic', _UAR, ('audio', 'text')),
    PluginSystem('M2FNet', 'm2fnet/m2fnet_nano_synthetic', _UAR, ('audio', 'text', 'video')),
    PluginSystem(
        'text classifier on descriptions', 'compound/described_nano_synthetic', _UAR, _DESCRIBED, _DESCRIBED_ALONE
    ),
    PluginSystem('compound emotions, trained', 'compound/compounds_nano_synthetic', _UAR, _DESCRIBED, _DESCRIBED_ALONE),
    PluginSystem(
        'compound emotions from basic scores',
        'compound/compounds_nano_synthetic',
        _UAR,
        _DESCRIBED,
        _DESCRIBED_ALONE,
        weights_of='described_nano_synthetic',
    ),
    PluginSystem(
        'ABAW4',
        'abaw/abaw4_nano_synthetic',
        {'expression_f1': 1 / 6, 'CCC': 0.0},
        ('audio', 'video'),
        alone_configs=dict(audio='abaw/abaw4_nano_audio_synthetic', video='abaw/abaw4_nano_video_synthetic'),
    ),
    PluginSystem(
        'ABAW6',
        'abaw/abaw6_nano_synthetic',
        {'expression_f1': 1 / 6, 'CCC': 0.0},
        ('audio', 'video'),
        frame_features_of='abaw4_nano_synthetic',
    ),
)


def plugins_table(scores: Mapping[str, Mapping[str, Mapping[str, float]]], page: str = '') -> str:
    """Returns the table in Markdown.

    Args:
        scores: For each config name and variant (:data:`ALL` or a stream) the result of the test.
        page: Text with an earlier table. Systems that lack a variant in ``scores`` keep their rows of it, and have none
            otherwise.
    """
    lines = [
        '| system | config | measure | chance | best single stream | all streams | beats it |',
        '|---|---|---|---|---|---|---|',
    ]
    for system in SYSTEMS:
        found = scores.get(system.name, {})
        if {ALL, *system.streams} <= set(found):
            lines += [_row(system, measure, found) for measure in system.measures]
        else:
            lines += [
                line for line in page.splitlines() if line.startswith(f'| {system.title} | `{system.config_name}` |')
            ]
    return '\n'.join(lines) + '\n'


def _row(system: PluginSystem, measure: str, found: Mapping[str, Mapping[str, float]]) -> str:
    best = max(system.streams, key=lambda stream: found[stream][measure])
    single, joint = found[best][measure], found[ALL][measure]
    verdict = 'yes' if joint > single else 'no'
    cells = [
        system.title,
        f'`{system.config_name}`',
        measure,
        f'{system.measures[measure]:.3f}',
        f'{single:.3f} ({best})',
    ]
    return f'| {" | ".join([*cells, f"{joint:.3f}", verdict])} |'
