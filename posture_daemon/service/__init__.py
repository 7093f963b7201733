"""posture-daemon as a systemd service: install, remove, status.

`code` finds the installed program and makes the unit, `plan` lists the steps of installing and removing, `takeover` copies
the owner's existing data folder, `condition` reports the state of the service. `sd_notify` and `journal` are used by the
running daemon.
"""

NAME = "posture-daemon"
"""Name of the unit, of its user, and of the command."""
