"""The real files of $PARATAXIS_DATA/coopetition, which no clone holds: tests of them can only be where they are."""

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("PARATAXIS_DATA", "absent"), "coopetition")
needs_data = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs $PARATAXIS_DATA/coopetition")
