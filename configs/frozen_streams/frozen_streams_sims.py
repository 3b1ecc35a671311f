"""Text, sound and picture by frozen Chinese BERT, wav2vec 2.0 and CLIP on CH-SIMS, sentiment; batch 16, 20 epochs.

python tools/train.py configs/frozen_streams/frozen_streams_sims.py

README.md of this folder says how to get models and tables. BERT_FOLDER in the environment names the folder of
bert-base-chinese, and TOKENIZER_FILE is its tokenizer.json. The sentiment is from -1 to 1. There is no published number.
"""

_base_ = ['./frozen_streams_mosi.py']

sims = dict(type='SIMS', data_root='{{$SIMS_ROOT:data/sims}}')
model = dict(
    encoders=dict(
        text=dict(
            path='{{$BERT_FOLDER:weights/bert-base-chinese}}',
            config=dict(
                model_type='bert',
                vocab_size=21128,
                max_position_embeddings=512,
                type_vocab_size=2,
                pad_token_id=0,
            ),
        ),
    ),
)
train_dataloader = dict(dataset=sims)
val_dataloader = dict(dataset=sims)
test_dataloader = dict(dataset=sims)
val_evaluator = dict(sentiment='sims')
test_evaluator = val_evaluator
work_dir = 'work_dirs/frozen_streams_sims'
