"""`python -m posture_daemon`."""

from posture_daemon.cli import main

if __name__ == "__main__":
    main()
