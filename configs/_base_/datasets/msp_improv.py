"""MSP-IMPROV, 4 emotions: folders of aligned face JPEGs and wav, 6 folds by session.

``tools/dataset_converters/msp_improv.py`` writes ``fold{1..6}/{train,test}.csv`` into ``data/msp_improv`` (another
folder: ``MSP_IMPROV_ROOT`` in the environment). ``FOLD=3`` chooses the fold (default 1). The best epoch is chosen on the
test fold, as published.
"""

_base_ = './finetuning.py'

train_dataloader = dict(
    dataset=dict(
        type='MSPIMPROV', data_root='{{$MSP_IMPROV_ROOT:data/msp_improv}}', ann_file='fold{{$FOLD:1}}/train.csv'
    )
)
val_dataloader = dict(
    dataset=dict(
        type='MSPIMPROV', data_root='{{$MSP_IMPROV_ROOT:data/msp_improv}}', ann_file='fold{{$FOLD:1}}/test.csv'
    )
)
test_dataloader = val_dataloader
