"""AVCAffe, arousal or valence in 5 classes: folders of face frames and the clips' sound, the corpus's own split.

``tools/dataset_converters/avcaffe.py`` writes ``fold1/{train,test}.csv`` into ``data/avcaffe`` (another folder:
``AVCAFFE_ROOT`` in the environment). ``AVCAFFE_TARGET=valence`` chooses what is predicted (default ``arousal``). The
scores of a recording's clips are averaged and measured once; the best epoch is chosen on the test part.
"""

_base_ = './finetuning.py'

target = '{{$AVCAFFE_TARGET:arousal}}'
if target not in ('arousal', 'valence'):
    raise ValueError(f"AVCAFFE_TARGET must be 'arousal' or 'valence', got {target!r}")
kind = dict(arousal='AVCAFFEArousal', valence='AVCAFFEValence')[target]
label_columns = dict(arousal=(0,), valence=(1,))[target]

train_dataloader = dict(
    dataset=dict(
        type=kind, data_root='{{$AVCAFFE_ROOT:data/avcaffe}}', ann_file='fold1/train.csv', label_columns=label_columns
    )
)
val_dataloader = dict(
    dataset=dict(
        type=kind, data_root='{{$AVCAFFE_ROOT:data/avcaffe}}', ann_file='fold1/test.csv', label_columns=label_columns
    )
)
test_dataloader = val_dataloader

# aiim001/task_1/aiim001_task_1_clip_012 belongs to aiim001_task_1; a clip of another name is a recording of its own
val_evaluator = dict(type='ClassificationMetric', group_pattern=r'(aiim\d+_task_\d+|[^/]+$)')
test_evaluator = val_evaluator
