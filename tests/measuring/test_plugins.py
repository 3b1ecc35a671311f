from __future__ import annotations

from hicmae_mm.config.paths import configs_root
from hicmae_mm.measuring.plugins import ALL, SYSTEMS, plugins_table


def test_a_row_names_the_best_single_stream_and_unfinished_systems_are_left_out() -> None:
    scores = {
        'm2fnet_nano_synthetic': {
            ALL: {'UAR': 0.4},
            'audio': {'UAR': 0.3},
            'text': {'UAR': 0.5},
            'video': {'UAR': 0.2},
        },
        'described_nano_synthetic': {ALL: {'UAR': 0.9}},
    }
    rows = plugins_table(scores).splitlines()[2:]
    assert rows == ['| M2FNet | `m2fnet_nano_synthetic` | UAR | 0.167 | 0.500 (text) | 0.400 | no |']
    scores['m2fnet_nano_synthetic'].pop('text')  # a row of an earlier run stays
    assert plugins_table(scores, f'before\n{rows[0]}\nbehind').splitlines()[2:] == rows


def test_every_training_has_a_config_and_only_its_stream() -> None:
    by_name = {system.name: system for system in SYSTEMS}
    for system in SYSTEMS:
        assert system.overrides_of(ALL) == ()
        for variant in (ALL, *system.streams):
            assert (configs_root() / f'{system.config_of(variant)}.py').is_file()
    assert by_name['m2fnet_nano_synthetic'].overrides_of('text')[0] == "train_dataloader.dataset.streams=('text',)"
    assert by_name['abaw4_nano_synthetic'].config_of('audio') == 'abaw/abaw4_nano_audio_synthetic'
    assert by_name['described_nano_synthetic'].overrides_of('words')[0].endswith('pipeline.0.action_units=None')
    untrained = by_name['compounds_nano_synthetic_untrained']
    assert untrained.config == by_name['compounds_nano_synthetic'].config
    assert {untrained.weights_of, by_name['abaw6_nano_synthetic'].frame_features_of} <= set(by_name)
