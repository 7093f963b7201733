"""`python -m posture_daemon`, and the installed command: what it does from its first moment on."""

from posture_daemon.service import signals


def main() -> None:
    """Entry point. The program takes a second to load, and can be told to stop meanwhile."""
    signals.leave_at_once()
    from posture_daemon.cli import main as command

    try:
        command()
    finally:
        signals.ignore()


if __name__ == "__main__":
    main()
