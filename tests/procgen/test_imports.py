"""What `import procgen` costs, seen from a fresh interpreter."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
MODULES = (
    "procgen.surface.noise, procgen.surface.placement, procgen.surface.layer, procgen.impurities.stains, "
    "procgen.finish, procgen.defects.cracks"
)


def in_fresh_interpreter(code, **environment):
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=os.environ | environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


def test_import_loads_no_heavy_library():
    heavy = "('numba', 'scipy', 'skimage', 'torch', 'pydantic', 'bpy')"
    assert in_fresh_interpreter(f"import sys, {MODULES}; print(*[m for m in {heavy} if m in sys.modules])") == []


def test_numba_can_be_refused_by_environment():
    pytest.importorskip("numba")
    code = (
        "import sys, procgen.surface.noise as n; n.perlin([[0.5, 0.2, 0.1]]); print(n.BACKEND, 'numba' in sys.modules)"
    )
    assert in_fresh_interpreter(code, BLEMISH_NO_NUMBA="1") == ["numpy", "False"]
    assert in_fresh_interpreter(code, BLEMISH_NO_NUMBA="") == ["numba", "True"]
