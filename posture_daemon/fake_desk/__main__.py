"""`python -m posture_daemon.fake_desk OUT.jpg` writes the contact sheet."""

from __future__ import annotations

import sys
from pathlib import Path

from posture_daemon.fake_desk.contact_sheet import write_contact_sheet


def main() -> int:
    """Write the sheet to the path that was given."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m posture_daemon.fake_desk OUT.jpg\n")
        return 2
    write_contact_sheet(Path(sys.argv[1]))
    sys.stdout.write(f"{sys.argv[1]}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
