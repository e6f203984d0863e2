"""Runs pytest inside a Blender that is no Python: what follows -- on its command line is pytest's.

PYTHONPATH=… blender --background --factory-startup --python-use-system-env --python inside.py -- TESTS
"""

import os
import sys

import pytest

code = int(pytest.main(["-p", "no:cacheprovider", *sys.argv[sys.argv.index("--") + 1 :]]))
sys.stdout.flush()
os._exit(code)  # Blender itself would end with 0
