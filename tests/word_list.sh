#!/bin/sh
# The words in golden/model/firstframe.json are those of the captions that the model was trained on.
#   sh tests/word_list.sh SOURCE_FOLDER
version='import sys; sys.exit(sys.version_info < (3, 9))'
if ! command -v python3 >/dev/null || ! python3 -c "$version"; then
    echo "skipped: python3 (3.9 or later) is missing"
    exit 77
fi
PYTHONDONTWRITEBYTECODE=1 python3 "$1/tools/train/known_words.py" --check "$1/golden/model"
