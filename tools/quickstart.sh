#!/usr/bin/env bash
# The whole way on media that it makes itself: pre-train, fine-tune on sound, picture and both, test on unseen actors.
#
#     bash tools/quickstart.sh             # a rerun skips what is finished and resumes what was cut short
#     bash tools/quickstart.sh --force     # everything again
#     bash tools/quickstart.sh --tiny      # a minute, to see that everything works; its scores mean nothing

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/setup_env.sh
exec python tools/quickstart.py "$@"
