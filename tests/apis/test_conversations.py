"""A conversation goes through the inferencer: every utterance is scored with the others of its conversation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from hicmae_mm.apis import EmotionInferencer
from hicmae_mm.apis.further import give_streams
from hicmae_mm.apis.tables import window_rows
from hicmae_mm.config.paths import configs_root
from hicmae_mm.datasets.clips.inputs import as_clips
from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.structures import EmotionDataSample, Padded
from hicmae_mm.visualization.tracks import tracks_of
from tests.apis.conftest import write_model

TALK = [('first', 'ann', 'no'), ('first', 'bob', 'well no'), ('second', 'bob', 'well'), ('first', 'ann', 'no no')]
IDS = dict(well=1, no=2)


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('talk')
    (root / 'words.txt').write_text('[UNK]\nwell\nno\n')
    rows = ['text,audio,video,speaker,dialogue']
    noise = np.random.default_rng(0)
    for number, (name, speaker, text) in enumerate(TALK):
        for stream in ('audio', 'video'):
            np.save(root / f'{stream}{number}.npy', noise.normal(size=96).astype(np.float32))
        rows.append(f'{text},audio{number}.npy,video{number}.npy,{speaker},{name}')
    (root / 'talk.csv').write_text('\n'.join(rows) + '\n')
    return root


@pytest.fixture(scope='module')
def inferencer(folder: Path) -> EmotionInferencer:
    cfg = Config.fromfile(configs_root() / 'm2fnet' / 'm2fnet_nano_synthetic.py')
    cfg.test_dataloader.dataset.data_root = str(folder)
    inferencer = EmotionInferencer(write_model(cfg, folder / 'talk.safetensors'), device='cpu')
    torch.nn.init.normal_(inferencer.model.speaker_embed['text'])
    return inferencer


def expected(inferencer: EmotionInferencer, folder: Path, rows: list[int]) -> np.ndarray:
    """Scores of one conversation, by the model itself."""
    load = {stream: np.stack([np.load(folder / f'{stream}{row}.npy') for row in rows]) for stream in ('audio', 'video')}
    inputs = {stream: torch.from_numpy(values) for stream, values in load.items()}
    words = [torch.tensor([IDS[word] for word in TALK[row][2].split()]) for row in rows]
    samples = [EmotionDataSample(metainfo=dict(columns=dict(dialogue='x', speaker=TALK[row][1]))) for row in rows]
    with torch.no_grad():
        found = inferencer.model(inputs | dict(text=Padded.stack(words)), samples, mode='predict')
    return torch.stack([sample.pred_score for sample in found]).numpy()


def scores(results: dict) -> np.ndarray:
    return np.array([list(result['scores'].values()) for result in results['predictions']])


def test_utterances_are_scored_with_their_conversation(inferencer: EmotionInferencer, folder: Path) -> None:
    found = inferencer(folder / 'talk.csv', batch_size=1)
    # the last row follows another conversation, so that it begins a new one
    parts = [expected(inferencer, folder, rows) for rows in ([0, 1], [2], [3])]
    np.testing.assert_allclose(scores(found), np.concatenate(parts), atol=1e-5)
    assert [result['speaker'] for result in found['predictions']] == ['ann', 'bob', 'bob', 'ann']
    alone = expected(inferencer, folder, [0])
    assert np.abs(scores(found)[:1] - alone).max() > 1e-3


def test_clips_of_a_call_that_name_no_conversation_are_one(inferencer: EmotionInferencer, folder: Path) -> None:
    clips = [
        dict(text=text, **{stream: folder / f'{stream}{row}.npy' for stream in ('audio', 'video')})
        for row, (_, _, text) in enumerate(TALK)
    ]
    found = scores(inferencer(clips))
    assert found.shape == (4, 6)
    assert np.abs(found[:1] - scores(inferencer(clips[:1]))).max() > 1e-3
    # one that cannot be read leaves the others in their conversation
    skipped = inferencer([clips[0], dict(clips[1], audio=folder / 'words.txt'), clips[3]], on_error='skip')
    assert [result.get('error') is None for result in skipped['predictions']] == [True, False, True]
    pair = scores(inferencer([clips[0], clips[3]]))
    kept = [list(skipped['predictions'][row]['scores'].values()) for row in (0, 2)]
    np.testing.assert_allclose(pair, kept, atol=1e-5)


def test_features_come_from_a_folder_of_extracted_ones(inferencer: EmotionInferencer, folder: Path) -> None:
    """The list names media, as the lists of a corpus do; the features of all its clips are in one folder."""
    stored = folder / 'stored'
    stored.mkdir()
    columns = {f'{stream}_layer3': dict(dtype='float32', shape=[96], is_ragged=False) for stream in ('audio', 'video')}
    columns['sample_id'] = dict(dtype='str', shape=[], is_ragged=False)
    (stored / 'features.json').write_text(json.dumps(dict(format='npy', num_rows=4, columns=columns)))
    (stored / 'index.csv').write_text('sample_id\n' + ''.join(f'clip{row}\n' for row in range(4)))
    for stream in ('audio', 'video'):
        rows = [np.load(folder / f'{stream}{row}.npy') for row in range(4)]
        np.save(stored / f'{stream}_layer3.npy', np.stack(rows))
    (folder / 'talk.wav').write_bytes(b'RIFF')
    table = ['sample_id,text,audio,speaker,dialogue']
    table += [f'clip{row},{text},talk.wav,{speaker},{name}' for row, (name, speaker, text) in enumerate(TALK)]
    (folder / 'media.csv').write_text('\n'.join(table) + '\n')
    clips = as_clips(folder / 'media.csv', others=inferencer.readings)
    found = inferencer(give_streams(clips, dict.fromkeys(('audio', 'video'), str(stored))))
    np.testing.assert_array_equal(scores(found), scores(inferencer(folder / 'talk.csv')))
    with pytest.raises(MediaError, match='takes audio as a feature, not as media; .* give their folder: audio='):
        inferencer(folder / 'media.csv')
    with pytest.raises(FileNotFoundError, match="has no feature of the clip 'other'"):
        inferencer(dict(text='no', audio=stored, video=stored, name='other'))


def test_subtitles_are_the_utterances_of_a_conversation(inferencer: EmotionInferencer, folder: Path) -> None:
    times = [('00:00.500', '00:02.000'), ('00:01.500', '00:03.000'), ('00:04.000', '00:05.000')]
    said = [('ann', 'no'), ('bob', 'well no'), ('ann', 'no no')]
    cues = [f'{start} --> {end}\n<v {who}>{what}\n' for (start, end), (who, what) in zip(times, said)]
    (folder / 'talk.vtt').write_text('\n'.join(['WEBVTT\n', *cues]))
    rows = ['text,speaker,dialogue', *(f'{what},{who},x' for who, what in said)]
    (folder / 'same.csv').write_text('\n'.join(rows) + '\n')
    expected = scores(inferencer(folder / 'same.csv'))
    talk = dict(text=folder / 'talk.vtt', name='talk')
    (found,) = inferencer([talk])['predictions']
    np.testing.assert_allclose([list(w['scores'].values()) for w in found['windows']], expected, atol=1e-5)
    assert [(w['start_seconds'], w['end_seconds']) for w in found['windows']] == [(0.5, 2), (1.5, 3), (4, 5)]
    assert [(w['speaker'], w['text']) for w in found['windows']] == said  # words of others at that time are left out
    assert [found[name] for name in ('duration_seconds', 'window_seconds', 'stride_seconds')] == [5, None, None]
    assert [(row['speaker'], row['text']) for row in window_rows(found)] == said
    track = tracks_of(found)[0]
    assert track.edges.tolist() == [0, 0.5, 1.5, 2, 3, 4, 5]
    assert np.isnan(track.values[:, 0]).tolist() == [True, False, False, False, True, False]
    # two recordings with subtitles are two conversations, also if they have one name
    both = inferencer([talk, talk])['predictions']
    assert both[0]['windows'] == both[1]['windows'] == found['windows']
    (parts,) = inferencer([talk], window_seconds=2.5, stride_seconds=2.5)['predictions']
    assert [(w['end_seconds'], w['speaker'], w['text']) for w in parts['windows']] == [
        (2.5, None, None),
        (5, None, None),
    ]
    # a clip of a named conversation is an utterance
    (folder / 'timed.csv').write_text('text,dialogue\ntalk.vtt,x\n')
    (whole,) = inferencer(folder / 'timed.csv')['predictions']
    assert [(w['end_seconds'], w['text']) for w in whole['windows']] == [(5, None)]
