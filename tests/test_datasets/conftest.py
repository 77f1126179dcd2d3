"""What the tests of the data share: the benchmarks' images, which look like photographs."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'benchmarks'))
