"""The systems of docs/plugins.md: which configs show them on the synthetic corpus, and the table of their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

MARKS = ('<!-- plugins: begin -->', '<!-- plugins: end -->')
ALL = 'all'
_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
_UAR = {'UAR': 1 / 6}


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
    """

    title: str
    config: str
    measures: Mapping[str, float]
    streams: Sequence[str]
    alone: Mapping[str, Sequence[str]] = field(default_factory=dict)
    alone_configs: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Returns the name of the config."""
        return self.config.rpartition('/')[2]

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


SYSTEMS = (
    PluginSystem('M2FNet', 'm2fnet/m2fnet_nano_synthetic', _UAR, ('audio', 'text', 'video')),
    PluginSystem(
        'text classifier on descriptions',
        'compound/described_nano_synthetic',
        _UAR,
        ('words', 'action units'),
        alone={'words': _without('action_units'), 'action units': _without('transcript')},
    ),
    PluginSystem(
        'ABAW4',
        'abaw/abaw4_nano_synthetic',
        {'expression_f1': 1 / 6, 'CCC': 0.0},
        ('audio', 'video'),
        alone_configs=dict(audio='abaw/abaw4_nano_audio_synthetic', video='abaw/abaw4_nano_video_synthetic'),
    ),
)


def plugins_table(scores: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Returns the table in Markdown.

    Args:
        scores: For each config name and variant (:data:`ALL` or a stream) the result of the test. Systems that lack a
            variant are left out.
    """
    lines = [
        '| system | config | measure | chance | best single stream | all streams | beats it |',
        '|---|---|---|---|---|---|---|',
    ]
    for system in SYSTEMS:
        found = scores.get(system.name, {})
        if not {ALL, *system.streams} <= set(found):
            continue
        for measure, chance in system.measures.items():
            best = max(system.streams, key=lambda stream: found[stream][measure])
            single, joint = found[best][measure], found[ALL][measure]
            verdict = 'yes' if joint > single else 'no'
            cells = [system.title, f'`{system.name}`', measure, f'{chance:.3f}', f'{single:.3f} ({best})']
            lines.append(f'| {" | ".join([*cells, f"{joint:.3f}", verdict])} |')
    return '\n'.join(lines) + '\n'
