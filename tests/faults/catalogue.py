"""Every kind of bad input and fault that a command meets: one sentence, and nothing lost. `docs/faults.md` is made of it.

To add one, below the group that it belongs to: `plain` with the title, the command, what is wrong and what to do about it (in a
command `~` is a folder beside the data folder); or, where more than a file must be broken, a generator that breaks something in
its `Place`, yields the arguments of the command, and afterwards mends what would outlive the test. Then `make docs`.
"""

import os
import pickle
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from posture_daemon.store.lock import TRAINING_LOCK
from tests.faults.breaking import archive, give_head, overwrite_root_of, port_of_nobody, small_disk
from tests.faults.fault import DATABASE, FAULTS, Group, Made, Place

__all__ = ["FAULTS"]

# Two lines a fault, not eight.
# fmt: off

settings = Group("Settings and options")

settings.plain("A misspelt key in the settings file", "--config ~/bad.toml config show",
    "bad.toml", "did you mean camera.address?", {"bad.toml": "[camera]\nadress = '0'\n"})
settings.plain("A section where a setting should be", "--config ~/bad.toml config show",
    "bad.toml", "give its settings one by one", {"bad.toml": "camera = '0'\n"})
settings.plain("One setting by its old and its new name", "--config ~/bad.toml status",
    "bad.toml: queue.most_mb", "remove the old name", {"bad.toml": "[queue]\nmost_mb = 1\nmax_mb = 2\n"})
settings.plain("A word where a number should be", "--config ~/bad.toml status",
    "bad.toml: camera.fps", "must be a number from 0.1 to 60", {"bad.toml": "[camera]\nfps = 'fast'\n"})
settings.plain("A settings file that is no TOML", "--config ~/bad.toml status",
    "bad.toml", "at line 1", {"bad.toml": "[camera\naddress = 0\n"})
settings.plain("A settings file that is not there", "--config ~/none.toml status", "none.toml", "check the path")
settings.plain("A variable with a value out of bounds", "status",
    "POSTURE_CAMERA__FPS", "from 0.1 to 60", POSTURE_CAMERA__FPS="1000")
settings.plain("A variable that no setting has", "status",
    "POSTURE_CAMERA__FSP", "did you mean POSTURE_CAMERA__FPS?", POSTURE_CAMERA__FSP="10")
settings.plain("Training hours that are no times", "config show",
    "schedule.windows", "times of day such as 12:00-13:00", POSTURE_SCHEDULE__WINDOWS="noon")
settings.plain("Limits of heat in the wrong order", "config show",
    "limits.start_celsius is 72", "must not be above", POSTURE_LIMITS__PAUSE_CELSIUS="60")
settings.plain("A command that there is not", "lable", "'lable'", "--help", code=2)
settings.plain("An option that there is not", "label --terminl", "--terminl", "label --help", code=2)
settings.plain("A pause of no length", "pause --hours 0", "--hours", "0.01", code=2)
settings.plain("Two ways to label at once", "label --terminal --export ~/out", "--export", "choose one", code=2)

camera = Group("Cameras")
camera.plain("A region outside the picture", "--config ~/bad.toml status",
    "bad.toml: camera.region", "within it", {"bad.toml": "[camera]\nregion = '0.5,0,0.6,1'\n"})
camera.plain("A region of two pixels", "--config ~/bad.toml status",
    "camera.region is '0.5,0.5,0.003,0.003'", "0.1 or more each side",
    {"bad.toml": "[camera]\nregion = '0.5,0.5,0.003,0.003'\n"})

camera.plain("An address of no known kind", "run --camera telepathy",
    "telepathy", "write one of 0 (a camera number)")
camera.plain("An option that this camera has not", "run --camera 0?zoom=2",
    'no option "zoom"', "it takes width, height, fps")
camera.plain("A frame rate of none", "run --camera fake:desk?fps=0", "fps=0", "from 0.5 to 1000")
camera.plain("A camera that is not plugged in", "run --camera /dev/video77",
    "/dev/video77", "nothing is plugged in there; cameras found:")


@camera("A camera that this user may not use", where="/dev/shm/forbidden-camera", advice="usermod -aG video $USER")
def forbidden_device(at: Place) -> Made:
    device = Path("/dev/shm/forbidden-camera")
    device.touch(mode=0o000)
    at.obeys = True
    try:
        yield "run", "--camera", device
    finally:
        device.unlink()


camera.plain("A device that is no camera", "run --camera /dev/null", "/dev/null", "it is not a capture device")


@camera("A network camera that nobody answers for", where="http://127.0.0.1", advice="check the address")
def silent_address(at: Place) -> Made:
    with port_of_nobody() as port:
        yield "run", "--camera", f"http://127.0.0.1:{port}/video"


camera.plain("Pictures to replay that are not there", "run --camera replay:~/none", "/none", "check the path")
camera.plain("Pictures to replay that are all broken", "run --camera replay:~/broken",
    "/broken", "jpg, png, bmp, webp, tiff, gif or avif", {"broken/a.jpg": b"\xff\xd8 not a picture"})
camera.plain("A film that is none", "run --camera ~/film.mp4", "film.mp4", "convert it", {"film.mp4": "not a film"})
camera.plain("Setting up with a camera that is not there", "setup --yes --camera /dev/video77",
    "/dev/video77", "nothing is plugged in there")
camera.plain("A pose that nobody at the fake desk can show", "teach yoga --camera fake:desk --simulate-owner",
    "'yoga'", "only good_posture, bad_posture")
camera.plain("A simulated owner before a real camera", "teach --camera replay:~/desk --simulate-owner",
    "--simulate-owner", "add --camera fake:desk", {"desk/a.png": Place.picture})

data_folder = Group("The data folder")


@data_folder("A file where the data folder should be", where="/data", advice="choose another with --data-dir")
def data_is_a_file(at: Place) -> Made:
    shutil.rmtree(at.data)
    at.data.write_text("")
    yield ("status",)


@data_folder("A read-only data folder", where="/data", advice="make it writable")
def read_only_folder(at: Place) -> Made:
    with small_disk(at, "ro"):
        yield "label", "--import", at.picture("pictures/good_posture/new.png").parent.parent


@data_folder("A full disk", where=DATABASE, advice="free some space")
def full_disk(at: Place) -> Made:
    for number in range(4):
        at.picture(f"pictures/good_posture/{number * 'x'}.png")
    with small_disk(at, "size=24m"):
        rest = at.data / "rest"
        with rest.open("wb") as file:
            file.write(b"\0" * (shutil.disk_usage(at.data).free - 8192))
        yield "label", "--import", at.beside / "pictures"


@data_folder("A folder where the database should be", where=DATABASE, advice="cannot be opened; check")
def database_is_a_folder(at: Place) -> Made:
    (at.data / DATABASE).unlink()
    (at.data / DATABASE).mkdir()
    yield ("status",)


@data_folder("A database that is no database", where=DATABASE, advice="restore it from a backup")
def no_database(at: Place) -> Made:
    (at.data / DATABASE).write_bytes(b"not a database " * 1000)
    yield ("status",)


@data_folder("A database with a damaged page", where=DATABASE, advice="restore it from a backup")
def damaged_page(at: Place) -> Made:
    overwrite_root_of(at, "labels")
    yield "dataset", "stats"


@data_folder("A database that another program holds", where=DATABASE, advice="see which other program writes to it")
def busy_database(at: Place) -> Made:
    other = sqlite3.connect(at.data / DATABASE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield ("pause",)
    other.close()


data_folder.plain("A database of a newer program", "status",
    "schema 9999", "nothing was touched, update posture-daemon", sql="UPDATE alembic_version SET version_num = '9999'")
data_folder.plain("A second daemon", "run --camera fake:desk",
    "/data", "stop it first or choose another --data-dir", held="daemon.lock")
data_folder.plain("Teaching while a daemon has the camera", "teach --camera fake:desk",
    "/data", "teach on its page", held="daemon.lock")
data_folder.plain("A label page for an address of another machine", "label",
    "203.0.113.7", "ui.host", POSTURE_UI__HOST="203.0.113.7")

backup = Group("Backups, health and the service")

backup.plain("A restore where there is no backup", "restore --yes", "/data/backups", "give one by its path")
backup.plain("A backup that is not there", "restore ~/none.db --yes", "none.db", "`posture-daemon backup --list`")
backup.plain("A backup that is damaged", "restore ~/stick.db --yes",
    "/home/you/stick.db", "choose another one", {"stick.db": "not a database" * 1000})


@backup("A backup of a newer program", where="schema 9999", advice="update posture-daemon")
def newer_backup(at: Place) -> Made:
    copy = at.beside / "newer.db"
    shutil.copy(at.data / DATABASE, copy)
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    yield "restore", copy, "--yes"


backup.plain("A restore while the daemon runs", "restore ~/copy.db --yes",
    "/data", "stop it first", {"copy.db": Place.copy}, held="daemon.lock")
backup.plain("A restore that nobody can be asked about", "restore ~/copy.db",
    "restore it", "add --yes", {"copy.db": Place.copy})
backup.plain("A backup into a file", "backup --to ~/stick",
    "/home/you/stick", "No backup can be made in", {"stick": ""})
backup.plain("A health check where no daemon runs", "status --check",
    "this data folder", "No posture-daemon is running")
backup.plain("A service for a system that is not there", "service install --root /none", "/none", "check the path")

model = Group("Models")

model.plain("A checkpoint that is not there", "models import ~/none.pt", "/none.pt", "check the path")
model.plain("Setting up with a checkpoint that is not there", "setup --yes --camera fake:desk --model ~/none.pt",
    "/none.pt", "check the path")
model.plain("A folder as a checkpoint", "models import ~/folder.pt",
    "/folder.pt", "give the .pt file", {"folder.pt": Place.folder})
model.plain("A text as a checkpoint", "models import ~/model.pt",
    "/model.pt", "give the .pt file", {"model.pt": "these are no weights"})


@model("A checkpoint that was cut off", where="/model.pt", advice="copy it again")
def cut_checkpoint(at: Place) -> Made:
    whole = archive(at, pickle.dumps({"model": None})).read_bytes()
    yield "models", "import", at.file("model.pt", whole[: len(whole) // 2])


@model("A checkpoint that would run code", where="posix.system", advice="none was run")
def pickle_bomb(at: Place) -> Made:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {at.data}/exploded",)

    yield "models", "import", archive(at, pickle.dumps({"model": Bomb()}))


@model("A zip that is no checkpoint", where="/model.pt", advice="give the .pt file")
def plain_zip(at: Place) -> Made:
    yield "models", "import", archive(at, b"", name="readme.txt")


@model("A PyTorch file without a model", where="/model.pt", advice="give the .pt file")
def no_model(at: Place) -> Made:
    yield "models", "import", archive(at, pickle.dumps({"weights": 1}))


model.plain("A detector", "models import ~/yolo11n.pt",
    "yolo11n.pt", "such as yolo11n-cls.pt", {"yolo11n.pt": Place.checkpoint}, torch=True)
model.plain("A classifier of another family", "models import ~/yolov8n-cls.pt",
    "yolov8n-cls.pt", "needs a YOLO11-cls model", {"yolov8n-cls.pt": Place.checkpoint}, torch=True)
model.plain("An image size that does not fit", "models import ~/yolo11n-cls.pt --imgsz 100",
    "100", "multiple of 32", {"yolo11n-cls.pt": Place.checkpoint}, torch=True)


@model("A head file with a changed byte", where="models/heads", advice="doctor --fix may mend it")
def damaged_head(at: Place) -> Made:
    at.head().write_bytes(at.head().read_bytes()[:-1] + b"\x01")
    yield "models", "export", at.beside / "mine.pt"


@model("A head file that is gone", where="models/heads", advice="doctor --fix may mend it")
def missing_head(at: Place) -> Made:
    at.head().unlink()
    yield "models", "export", at.beside / "mine.pt"


@model("A head of another size", where="linear.bias", advice="instead of (3,)")
def other_head(at: Place) -> Made:
    give_head(at, rows=3, biases=2)
    yield "models", "export", at.beside / "mine.pt"


@model("A backbone with a changed byte", where="backbone.onnx", advice="doctor --fix may mend it")
def damaged_backbone(at: Place) -> Made:
    at.backbone().write_bytes(at.backbone().read_bytes()[:-1] + b"\x01")
    yield "models", "evaluate", at.picture("pictures/good_posture/a.png").parent.parent


@model("A backbone that is gone", where="backbone.onnx", advice="doctor --fix may mend it")
def missing_backbone(at: Place) -> Made:
    at.backbone().unlink()
    yield "models", "evaluate", at.picture("pictures/good_posture/a.png").parent.parent


model.plain("A model that there is not", "models export ~/x.pt --model 99", "version 99", "posture-daemon models list")
model.plain("Going back where there is nothing before", "models rollback", "previous model", "models list")
model.plain("An export onto a file", "models export ~/mine.pt",
    "/mine.pt", "choose another name or use --force", {"mine.pt": "precious"})
model.plain("An export that ultralytics could not open", "models export ~/mine.onnx", "/mine.onnx", "must end in .pt")
model.plain("A download of a model that there is not", "models fetch yolo99n-cls", "'yolo99n-cls'", "yolo11n-cls")


@model("A download without a network", where="https://127.0.0.1", advice="is this device online?")
def no_network(at: Place) -> Made:
    with port_of_nobody() as port:
        yield "models", "fetch", "yolo11n-cls", "--release", f"https://127.0.0.1:{port}/release.json"


labels = Group("Labels, classes and pictures")

labels.plain("A folder that is not there", "label --import ~/none", "/none", "check the path")
labels.plain("A file instead of a folder", "label --import ~/a.png",
    "/a.png", "give the folder that holds the class folders", {"a.png": Place.picture})
labels.plain("An empty folder", "label --import ~/empty",
    "/empty", "jpg, png, bmp, webp, tiff, gif or avif", {"empty": Place.folder})
labels.plain("Pictures that are in no class folders", "label --import ~/pictures",
    "/pictures", "sort them into folders such as good_posture/", {"pictures/a.png": Place.picture})
labels.plain("A class folder whose name cannot be a class", "label --import ~/pictures",
    "bad posture?", "rename the folder", {"pictures/bad posture?/a.png": Place.picture})
labels.plain("A damaged list beside an earlier export", "label --import ~/pictures",
    ".posture-daemon.json", "delete it",
    {"pictures/good/a.png": Place.picture, "pictures/.posture-daemon.json": '{"folders": ['})
labels.plain("An export into a folder with other files", "label --export ~/mine",
    "/mine", "choose an empty folder", {"mine/letter.txt": "precious"})
labels.plain("An export into a file", "dataset export ~/letter.txt",
    "/letter.txt", "give a folder to export to", {"letter.txt": "precious"})
labels.plain("Pictures to judge a model by of which none can be read", "models evaluate ~/pictures",
    "/pictures", "are they pictures?", {"pictures/good_posture/a.png": "no picture"})
labels.plain("No terminal to label in", "label --terminal",
    "standard input is not a terminal", "use label --export DIR")
labels.plain("A class name that cannot be a folder", "classes add a/b", "'a/b'", "letters, digits, spaces and punctuation")
labels.plain("A class name that is taken for something else", "classes rename good_posture unknown",
    "'unknown'", "reserved")
labels.plain("A second class of the same name", "classes rename bad_posture good_posture",
    "'good_posture'", "choose another name")
labels.plain("A class that there is not", "classes rename nobody somebody",
    "'nobody'", "there are: bad_posture, good_posture")
labels.plain("A class merged into itself", "classes merge na na --yes", "'na'", "name another class")
labels.plain("Deleting a class with nobody to ask", "classes delete good_posture", "nobody to ask", "--yes")
labels.plain("A class changed while a training runs", "classes delete good_posture --yes",
    "A training is running", "wait until it has ended", held=TRAINING_LOCK)
labels.plain("Calling a frame wrong without a daemon", "wrong", "No running daemon", "start it: posture-daemon run")
labels.plain("Calling a frame by a class that there is not", "wrong yoga", "'yoga'", "there are: bad_posture, good_posture")
labels.plain("Two ways to say what to teach", "teach good_posture --classes bad_posture", "--classes", "but not both")
labels.plain("Teaching a class whose name cannot be a folder", "teach --classes good_posture,a/b --camera fake:desk",
    "'a/b'", "letters, digits, spaces and punctuation")
labels.plain("Teaching no class", "teach --classes , --camera fake:desk",
    "No class is named", "--classes good_posture,bad_posture")

learning = Group("Training and its answers")

learning.plain("A training without enough labels", "train --force",
    "too few labelled images", "two classes are needed", sql="DELETE FROM labels")
learning.plain("The doubts of no labels", "dataset doubts",
    "too few labelled images", "two classes are needed", sql="DELETE FROM labels")
learning.plain("The effect of no training", "dataset effect", "no training yet", "posture-daemon train begins one")
learning.plain("A training run that there is not", "dataset effect 99", "run 99", "posture-daemon")
learning.plain("Two models compared without a holdout", "models diff 1 1",
    "no holdout images", "label more frames", sql="DELETE FROM labels")
learning.plain("A strategy that there is not", "compare --out ~/report --strategies magic",
    "'magic'", "scratch, all, new, finetune, replay")
learning.plain("A comparison without held-out pictures", "compare ~/pictures --out ~/report",
    "/pictures", "val/", {"pictures/train/good_posture/a.png": Place.picture})
learning.plain("A copy of a device that is not there", "doctor --root /none",
    "/none", "--root takes one that holds proc and sys")

from tests.faults.kinds import cams as _cams  # noqa: E402, F401
from tests.faults.kinds import exports as _exports  # noqa: E402, F401
from tests.faults.kinds import layout as _layout  # noqa: E402, F401 - adds its groups to FAULTS
from tests.faults.kinds import models  # noqa: E402, F401
from tests.faults.kinds import names as _names  # noqa: E402, F401
from tests.faults.kinds import page as _page  # noqa: E402, F401
from tests.faults.kinds import paths as _paths  # noqa: E402, F401
from tests.faults.kinds import pics as _pics  # noqa: E402, F401
from tests.faults.kinds import root as _root  # noqa: E402, F401
