"""posture-daemon as a system service, for people who do not write units: install it, remove it, tell how it does.

`code` is what is installed here and how the service reaches it, `plan` what has to be done, `takeover` brings along what was
taught before, `condition` tells how the service is.
"""

NAME = "posture-daemon"
"""Of the unit, of its user, and of the command."""
