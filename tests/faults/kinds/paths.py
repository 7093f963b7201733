"""Paths that lead nowhere, and addresses of cameras with a secret in them: said without it."""

from tests.faults.fault import Group, Made, Place

# Two lines a fault, not eight.
# fmt: off

paths = Group("Paths")

TILDE = chr(126)  # in a command `~` is a folder beside the data folder

@paths("A film in the home of nobody", where="nosuchuser/film.mp4", advice="write the path whole")
def home_of_nobody(at: Place) -> Made:
    """As a shell leaves it in quotes."""
    yield "run", "--camera", f"{TILDE}nosuchuser/film.mp4"

paths.plain("A data folder of nobody in a settings file", "--config ~/bad.toml config show",
    "bad.toml: data_dir", "there is no user nosuchuser", {"bad.toml": f"data_dir = '{TILDE}nosuchuser/data'\n"})
paths.plain("An empty path", "label --import ''", "A path is empty", "write the name of a file or folder")
paths.plain("An address where a folder should be", "backup --to ftp://me:secret@nas/backups",
    "ftp://***@nas/***", "is an address of a network")
paths.plain("A name that is too long", f"models import ~/{'x' * 256}", "xxxx", "choose a shorter one")
paths.plain("A data folder deeper than SQLite opens", f"--data-dir ~/{'/'.join(['x' * 100] * 4)} status",
    "xxxx", "choose a shorter one")
paths.plain("A backup deeper than SQLite opens", f"backup --to ~/{'/'.join(['x' * 100] * 4)}",
    "xxxx", "choose a shorter one")

@paths("A data folder within another one", where="/inner", advice="choose a folder outside it")
def inner_folder(at: Place) -> Made:
    """In the folder of the backups, for example, where old files are deleted."""
    yield "--data-dir", at.data / "inner", "status"

secrets = Group("Secrets in addresses")

secrets.plain("A password behind a mistyped scheme", "run --camera rstp://me:secret@cam/live",
    'camera "rstp://***@cam/live"', "write one of")
secrets.plain("A password in a query", "run --camera 'rtmp://cam/live?user=me&pwd=secret'",
    'camera "rtmp://cam/live?***"', "write one of")
secrets.plain("A password without anything before it", "run --camera me:secret@192.168.1.5/live",
    'camera "***@192.168.1.5/live"', "write one of")
secrets.plain("An address with a password instead of a command", "rtsp://me:secret@cam/live",
    "rtsp://***@cam/live", "--help", code=2)
secrets.plain("An address with a password where a number should be", "config show",
    "camera.fps is 'rtsp://***@cam/live'", "must be a number", POSTURE_CAMERA__FPS="rtsp://me:secret@cam/live")
secrets.plain("A line of a settings file without its key", "--config ~/bad.toml config show",
    "bad.toml: there is no setting rtsp://***@cam/", "config show", {"bad.toml": '"rtsp://me:secret@cam/" = 1\n'})
