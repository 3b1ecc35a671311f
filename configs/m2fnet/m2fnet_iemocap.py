"""M2FNet on IEMOCAP, 4 emotions of utterances in dialogues, by features; 16 dialogues per batch, 100 epochs.

python tools/train.py configs/m2fnet/m2fnet_iemocap.py

Tables of ``iemocap.py --table`` and features as in m2fnet_meld.py, below data/iemocap (another folder: IEMOCAP_ROOT in
the environment). FOLD=1 to 5 chooses the session that tests (default 5). The best epoch is chosen on it.

Weighted F1 of 69.86 on 6 emotions is attributed to the publication; it is unchecked. For these 4 there is none.
"""

_base_ = ['./m2fnet_meld.py']

model = dict(num_speakers=2, head=dict(num_classes=4))
iemocap = dict(type='IEMOCAP', data_root='{{$IEMOCAP_ROOT:data/iemocap}}')
train_dataloader = dict(dataset=dict(iemocap, ann_file='fold{{$FOLD:5}}/train.csv'))
val_dataloader = dict(dataset=dict(iemocap, ann_file='fold{{$FOLD:5}}/test.csv'))
test_dataloader = dict(dataset=dict(iemocap, ann_file='fold{{$FOLD:5}}/test.csv'))
work_dir = 'work_dirs/m2fnet_iemocap/fold{{$FOLD:5}}'
