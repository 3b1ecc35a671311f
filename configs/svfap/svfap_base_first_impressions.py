"""SVFAP base, fine-tuning on First Impressions V2, 5 traits of personality, picture alone; batch 64, 100 epochs.

tools/dist_train.sh configs/svfap/svfap_base_first_impressions.py 4 --amp --cfg-options load_from=PRETRAINED.pth

The authors published no script for this corpus. Values in 0 to 1 (sigmoid), mean squared error and the best epoch by MAE
on the validation list are our choice: 1 - MAE is the accuracy of the challenge. The rest is SVFAP's recipe of DFEW. The
published numbers are in the paper: none is quoted here.
"""

_base_ = ['../_base_/svfap_base_classification.py', '../_base_/datasets/first_impressions.py']

model = dict(
    data_preprocessor=dict(batch_augment=None),
    head=dict(_delete_=True, type='RegressionHead', num_outputs=5, activation='sigmoid', loss=dict(type='MSELoss')),
)
train_dataloader = dict(batch_size=16)
default_hooks = dict(checkpoint=dict(save_best='MAE', rule='less'))
