#!/usr/bin/env bash
# From nothing to the table of folds of an open corpus: download, faces, lists, a training and tests per fold.
#
#     bash tools/reproduce.sh ravdess --accept-licence --load-from PRETRAINED.pth --gpus 4 --amp
#     bash tools/reproduce.sh ravdess --accept-licence --streams audio       # 208 MB instead of 13 GB
#
# A rerun skips what is finished and resumes what was cut short. See docs/reproduction.md.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/setup_env.sh
exec python tools/reproduce.py "$@"
