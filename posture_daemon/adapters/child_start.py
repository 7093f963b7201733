"""The first lines of every child process: `python -I child_start.py MODULE ARGUMENT…` runs the module of this very package.

Isolated mode (`-I`) leaves out the current folder, the user's own site-packages and every `PYTHON…` variable, by which whoever
may write there could hand it code. So the package is found by where this file lies.
"""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    package_root = str(Path(__file__).resolve().parents[2])
    if package_root not in sys.path:
        sys.path.insert(0, package_root)
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
