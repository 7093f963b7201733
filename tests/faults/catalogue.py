"""Every kind of bad input and fault that a command meets: one sentence, and nothing lost. `docs/faults.md` is made of it.

To add one: a generator below the group that it belongs to, which breaks something in its `Place`, yields the arguments of the
command, and afterwards mends what would outlive the test; then `make docs`.
"""

from __future__ import annotations

import os
import pickle
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from posture_daemon.store.lock import TRAINING_LOCK, exclusive
from tests.faults.breaking import archive, give_head, overwrite_root_of, port_of_nobody, small_disk
from tests.faults.fault import DATABASE, FAULTS, Group, Made, Place

__all__ = ["FAULTS"]

settings = Group("Settings and options")
camera = Group("Cameras")
data_folder = Group("The data folder")
backup = Group("Backups, health and the service")
model = Group("Models")
labels = Group("Labels, classes and pictures")
learning = Group("Training and its answers")

# ── settings and options ──────────────────────────────────────────────────────────────────────────────────────────────


@settings("A misspelt key in the settings file", where="bad.toml", advice="did you mean camera.address?")
def misspelt_key(at: Place) -> Made:
    yield "--config", at.file("bad.toml", "[camera]\nadress = '0'\n"), "config", "show"


@settings("A section where a setting should be", where="bad.toml", advice="give its settings one by one")
def section_as_setting(at: Place) -> Made:
    yield "--config", at.file("bad.toml", "camera = '0'\n"), "config", "show"


@settings("One setting by its old and its new name", where="bad.toml: queue.most_mb", advice="remove the old name")
def both_names(at: Place) -> Made:
    yield "--config", at.file("bad.toml", "[queue]\nmost_mb = 1\nmax_mb = 2\n"), "status"


@settings("A word where a number should be", where="bad.toml: camera.fps", advice="must be a number from 0.1 to 60")
def word_for_number(at: Place) -> Made:
    yield "--config", at.file("bad.toml", "[camera]\nfps = 'fast'\n"), "status"


@settings("A settings file that is no TOML", where="bad.toml", advice="at line 1")
def broken_toml(at: Place) -> Made:
    yield "--config", at.file("bad.toml", "[camera\naddress = 0\n"), "status"


@settings("A settings file that is not there", where="none.toml", advice="check the path")
def no_settings_file(at: Place) -> Made:
    yield "--config", at.beside / "none.toml", "status"


@settings("A variable with a value out of bounds", where="POSTURE_CAMERA__FPS", advice="from 0.1 to 60")
def bad_variable(at: Place) -> Made:
    at.environment["POSTURE_CAMERA__FPS"] = "1000"
    yield ("status",)


@settings("A variable that no setting has", where="POSTURE_CAMERA__FSP", advice="did you mean POSTURE_CAMERA__FPS?")
def unknown_variable(at: Place) -> Made:
    at.environment["POSTURE_CAMERA__FSP"] = "10"
    yield ("status",)


@settings("Training hours that are no times", where="schedule.windows", advice="times of day such as 12:00-13:00")
def no_times(at: Place) -> Made:
    at.environment["POSTURE_SCHEDULE__WINDOWS"] = "noon"
    yield "config", "show"


@settings("Limits of heat in the wrong order", where="limits.start_celsius is 72", advice="must not be above")
def falling_limits(at: Place) -> Made:
    at.environment["POSTURE_LIMITS__PAUSE_CELSIUS"] = "60"
    yield "config", "show"


@settings("A command that there is not", where="'lable'", advice="--help", code=2)
def unknown_command(at: Place) -> Made:
    yield ("lable",)


@settings("An option that there is not", where="--terminl", advice="label --help", code=2)
def unknown_option(at: Place) -> Made:
    yield "label", "--terminl"


@settings("A pause of no length", where="--hours", advice="0.01", code=2)
def no_pause(at: Place) -> Made:
    yield "pause", "--hours", "0"


@settings("Two ways to label at once", where="--export", advice="choose one", code=2)
def two_ways_to_label(at: Place) -> Made:
    yield "label", "--terminal", "--export", at.beside / "out"


# ── cameras ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@camera("An address of no known kind", where="telepathy:1", advice="write one of 0 (a camera number)")
def unknown_camera(at: Place) -> Made:
    yield "run", "--camera", "telepathy:1"


@camera("An option that this camera has not", where='no option "zoom"', advice="it takes width, height, fps")
def camera_option(at: Place) -> Made:
    yield "run", "--camera", "0?zoom=2"


@camera("A frame rate of none", where="fps=0", advice="from 0.5 to 1000")
def no_frame_rate(at: Place) -> Made:
    yield "run", "--camera", "fake:desk?fps=0"


@camera("A camera that is not plugged in", where="/dev/video77", advice="nothing is plugged in there; cameras found:")
def no_device(at: Place) -> Made:
    yield "run", "--camera", "/dev/video77"


@camera("A camera that this user may not use", where="/dev/shm/forbidden-camera", advice="usermod -aG video $USER")
def forbidden_device(at: Place) -> Made:
    device = Path("/dev/shm/forbidden-camera")
    device.touch(mode=0o000)
    at.as_nobody = True
    try:
        yield "run", "--camera", device
    finally:
        device.unlink()


@camera("A device that is no camera", where="/dev/null", advice="it is not a capture device")
def no_camera(at: Place) -> Made:
    yield "run", "--camera", "/dev/null"


@camera("A network camera that nobody answers for", where="http://127.0.0.1", advice="check the address")
def silent_address(at: Place) -> Made:
    with port_of_nobody() as port:
        yield "run", "--camera", f"http://127.0.0.1:{port}/video"


@camera("Pictures to replay that are not there", where="/none", advice="check the path")
def no_replay(at: Place) -> Made:
    yield "run", "--camera", f"replay:{at.beside}/none"


@camera("Pictures to replay that are all broken", where="/broken", advice="jpg, png, bmp, webp or tiff")
def broken_replay(at: Place) -> Made:
    at.file("broken/a.jpg", b"\xff\xd8 not a picture")
    yield "run", "--camera", f"replay:{at.beside}/broken"


@camera("A film that is none", where="film.mp4", advice="convert it")
def broken_film(at: Place) -> Made:
    yield "run", "--camera", at.file("film.mp4", "not a film")


@camera("Setting up with a camera that is not there", where="/dev/video77", advice="nothing is plugged in there")
def setup_without_camera(at: Place) -> Made:
    yield "setup", "--yes", "--camera", "/dev/video77"


@camera("A pose that nobody at the fake desk can show", where="'yoga'", advice="only good_posture, bad_posture")
def unknown_pose(at: Place) -> Made:
    yield "teach", "yoga", "--camera", "fake:desk", "--simulate-owner"


@camera("A simulated owner before a real camera", where="--simulate-owner", advice="add --camera fake:desk")
def simulated_owner(at: Place) -> Made:
    yield "teach", "--camera", f"replay:{at.picture('desk/a.png').parent}", "--simulate-owner"


# ── the data folder ───────────────────────────────────────────────────────────────────────────────────────────────────


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


@data_folder("A database of a newer program", where="schema 9999", advice="nothing was touched, update posture-daemon")
def newer_schema(at: Place) -> Made:
    at.sql("UPDATE alembic_version SET version_num = '9999'")
    yield ("status",)


@data_folder("A second daemon", where="/data", advice="stop it first or choose another --data-dir")
def second_daemon(at: Place) -> Made:
    with exclusive(at.data / "daemon.lock"):
        yield "run", "--camera", "fake:desk"


@data_folder("Teaching while a daemon has the camera", where="/data", advice="teach on its page")
def teaching_beside_daemon(at: Place) -> Made:
    with exclusive(at.data / "daemon.lock"):
        yield "teach", "--camera", "fake:desk"


@data_folder("A label page for an address of another machine", where="203.0.113.7", advice="ui.host")
def foreign_host(at: Place) -> Made:
    at.environment["POSTURE_UI__HOST"] = "203.0.113.7"
    yield ("label",)


# ── backups, health and the service ───────────────────────────────────────────────────────────────────────────────────


@backup("A restore where there is no backup", where="/data/backups", advice="give one by its path")
def no_backup(at: Place) -> Made:
    yield "restore", "--yes"


@backup("A backup that is not there", where="none.db", advice="`posture-daemon backup --list`")
def missing_backup(at: Place) -> Made:
    yield "restore", "none.db", "--yes"


@backup("A backup that is damaged", where="/home/you/stick.db", advice="choose another one")
def damaged_backup(at: Place) -> Made:
    yield "restore", at.file("stick.db", "not a database" * 1000), "--yes"


@backup("A backup of a newer program", where="schema 9999", advice="update posture-daemon")
def newer_backup(at: Place) -> Made:
    copy = at.beside / "newer.db"
    shutil.copy(at.data / DATABASE, copy)
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    yield "restore", copy, "--yes"


@backup("A restore while the daemon runs", where="/data", advice="stop it first")
def restore_beside_daemon(at: Place) -> Made:
    copy = at.beside / "copy.db"
    shutil.copy(at.data / DATABASE, copy)
    with exclusive(at.data / "daemon.lock"):
        yield "restore", copy, "--yes"


@backup("A restore that nobody can be asked about", where="restore it", advice="add --yes")
def unasked_restore(at: Place) -> Made:
    copy = at.beside / "copy.db"
    shutil.copy(at.data / DATABASE, copy)
    yield "restore", copy


@backup("A backup into a file", where="/home/you/stick", advice="No backup can be made in")
def backup_into_a_file(at: Place) -> Made:
    yield "backup", "--to", at.file("stick", "")


@backup("A health check where no daemon runs", where="this data folder", advice="No posture-daemon is running")
def health_of_nobody(at: Place) -> Made:
    yield "status", "--check"


@backup("A service for a system that is not there", where="/none", advice="check the path")
def service_nowhere(at: Place) -> Made:
    yield "service", "install", "--root", "/none"


# ── models ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@model("A checkpoint that is not there", where="/none.pt", advice="check the path")
def no_checkpoint(at: Place) -> Made:
    yield "models", "import", at.beside / "none.pt"


@model("Setting up with a checkpoint that is not there", where="/none.pt", advice="check the path")
def setup_without_checkpoint(at: Place) -> Made:
    yield "setup", "--yes", "--camera", "fake:desk", "--model", at.beside / "none.pt"


@model("A folder as a checkpoint", where="/folder.pt", advice="give the .pt file")
def folder_as_checkpoint(at: Place) -> Made:
    yield "models", "import", at.folder("folder.pt")


@model("A text as a checkpoint", where="/model.pt", advice="copy it again")
def text_checkpoint(at: Place) -> Made:
    yield "models", "import", at.file("model.pt", "these are no weights")


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


@model("A detector", where="yolo11n.pt", advice="such as yolo11n-cls.pt", torch=True)
def detector(at: Place) -> Made:
    yield "models", "import", at.checkpoint("yolo11n.pt")


@model("A classifier of another family", where="yolov8n-cls.pt", advice="needs a YOLO11-cls model", torch=True)
def other_family(at: Place) -> Made:
    yield "models", "import", at.checkpoint("yolov8n-cls.pt")


@model("An image size that does not fit", where="100", advice="multiple of 32", torch=True)
def odd_image_size(at: Place) -> Made:
    yield "models", "import", at.checkpoint("yolo11n-cls.pt"), "--imgsz", "100"


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


@model("A model that there is not", where="version 99", advice="posture-daemon models list")
def unknown_model(at: Place) -> Made:
    yield "models", "export", at.beside / "x.pt", "--model", "99"


@model("Going back where there is nothing before", where="previous model", advice="models list")
def no_previous(at: Place) -> Made:
    yield "models", "rollback"


@model("An export onto a file", where="/mine.pt", advice="choose another name or use --force")
def export_onto_file(at: Place) -> Made:
    yield "models", "export", at.file("mine.pt", "precious")


@model("An export that ultralytics could not open", where="/mine.onnx", advice="must end in .pt")
def export_as_onnx(at: Place) -> Made:
    yield "models", "export", at.beside / "mine.onnx"


@model("A download of a model that there is not", where="'yolo99n-cls'", advice="yolo11n-cls")
def unknown_download(at: Place) -> Made:
    yield "models", "fetch", "yolo99n-cls"


@model("A download without a network", where="http://127.0.0.1", advice="is this device online?")
def no_network(at: Place) -> Made:
    with port_of_nobody() as port:
        yield "models", "fetch", "yolo11n-cls", "--release", f"http://127.0.0.1:{port}/release.json"


# ── labels, classes and pictures ──────────────────────────────────────────────────────────────────────────────────────


@labels("A folder that is not there", where="/none", advice="check the path")
def no_folder(at: Place) -> Made:
    yield "label", "--import", at.beside / "none"


@labels("A file instead of a folder", where="/a.png", advice="give the folder that holds the class folders")
def file_as_folder(at: Place) -> Made:
    yield "label", "--import", at.picture("a.png")


@labels("An empty folder", where="/empty", advice="jpg, jpeg, png, bmp or webp")
def empty_folder(at: Place) -> Made:
    yield "label", "--import", at.folder("empty")


@labels(
    "Pictures that are in no class folders", where="/pictures", advice="sort them into folders such as good_posture/"
)
def unsorted_pictures(at: Place) -> Made:
    yield "label", "--import", at.picture("pictures/a.png").parent


@labels("A class folder whose name cannot be a class", where="bad posture!", advice="rename the folder")
def bad_folder_name(at: Place) -> Made:
    yield "label", "--import", at.picture("pictures/bad posture!/a.png").parent.parent


@labels("A damaged list beside an earlier export", where=".posture-daemon.json", advice="delete it")
def damaged_manifest(at: Place) -> Made:
    at.picture("pictures/good_posture/a.png")
    yield "label", "--import", at.file("pictures/.posture-daemon.json", '{"folders": [').parent


@labels("An export into a folder with other files", where="/mine", advice="choose an empty folder")
def export_onto_files(at: Place) -> Made:
    yield "label", "--export", at.file("mine/letter.txt", "precious").parent


@labels("An export into a file", where="/letter.txt", advice="give a folder to export to")
def export_into_file(at: Place) -> Made:
    yield "dataset", "export", at.file("letter.txt", "precious")


@labels("Pictures to judge a model by of which none can be read", where="/pictures", advice="are they pictures?")
def unreadable_pictures(at: Place) -> Made:
    yield "models", "evaluate", at.file("pictures/good_posture/a.png", "no picture").parent.parent


@labels("No terminal to label in", where="standard input is not a terminal", advice="use label --export DIR")
def no_terminal(at: Place) -> Made:
    yield "label", "--terminal"


@labels("A class name that cannot be a folder", where="'a/b'", advice="letters, digits, '_', '-' and '.'")
def bad_class_name(at: Place) -> Made:
    yield "classes", "add", "a/b"


@labels("A class name that is taken for something else", where="'unknown'", advice="reserved")
def reserved_class_name(at: Place) -> Made:
    yield "classes", "rename", "good_posture", "unknown"


@labels("A second class of the same name", where="'good_posture'", advice="choose another name")
def same_class_name(at: Place) -> Made:
    yield "classes", "rename", "bad_posture", "good_posture"


@labels("A class that there is not", where="'nobody'", advice="there are: bad_posture, good_posture")
def unknown_class(at: Place) -> Made:
    yield "classes", "rename", "nobody", "somebody"


@labels("A class merged into itself", where="'na'", advice="name another class")
def merged_into_itself(at: Place) -> Made:
    yield "classes", "merge", "na", "na", "--yes"


@labels("Deleting a class with nobody to ask", where="nobody to ask", advice="--yes")
def nobody_to_ask(at: Place) -> Made:
    yield "classes", "delete", "good_posture"


@labels("A class changed while a training runs", where="A training is running", advice="wait until it has ended")
def class_while_training(at: Place) -> Made:
    with exclusive(at.data / TRAINING_LOCK):
        yield "classes", "delete", "good_posture", "--yes"


@labels("Calling a frame wrong without a daemon", where="No running daemon", advice="start it: posture-daemon run")
def wrong_without_daemon(at: Place) -> Made:
    yield ("wrong",)


@labels("Calling a frame by a class that there is not", where="'yoga'", advice="classes list")
def wrong_with_unknown_class(at: Place) -> Made:
    yield "wrong", "yoga"


@labels("Two ways to say what to teach", where="--classes", advice="but not both")
def two_ways_to_teach(at: Place) -> Made:
    yield "teach", "good_posture", "--classes", "bad_posture"


@labels("Teaching a class whose name cannot be a folder", where="'a/b'", advice="letters, digits, '_', '-' and '.'")
def teaching_a_bad_name(at: Place) -> Made:
    yield "teach", "--classes", "good_posture,a/b", "--camera", "fake:desk"


@labels("Teaching no class", where="No class is named", advice="--classes good_posture,bad_posture")
def teaching_nothing(at: Place) -> Made:
    yield "teach", "--classes", ",", "--camera", "fake:desk"


# ── training and its answers ──────────────────────────────────────────────────────────────────────────────────────────


@learning("A training without enough labels", where="too few labelled images", advice="two classes are needed")
def too_few_labels(at: Place) -> Made:
    at.sql("DELETE FROM labels")
    yield "train", "--force"


@learning("The doubts of no labels", where="too few labelled images", advice="two classes are needed")
def doubts_of_nothing(at: Place) -> Made:
    at.sql("DELETE FROM labels")
    yield "dataset", "doubts"


@learning("The effect of no training", where="no training yet", advice="posture-daemon train begins one")
def effect_of_nothing(at: Place) -> Made:
    yield "dataset", "effect"


@learning("A training run that there is not", where="run 99", advice="posture-daemon")
def unknown_run(at: Place) -> Made:
    yield "dataset", "effect", "99"


@learning("Two models compared without a holdout", where="no holdout images", advice="label more frames")
def no_holdout(at: Place) -> Made:
    at.sql("DELETE FROM labels")
    yield "models", "diff", "1", "1"


@learning("A strategy that there is not", where="'magic'", advice="scratch, all, new, finetune, replay")
def unknown_strategy(at: Place) -> Made:
    yield "compare", "--out", at.beside / "report", "--strategies", "magic"


@learning("A comparison without held-out pictures", where="/pictures", advice="val/")
def nothing_to_judge_by(at: Place) -> Made:
    at.picture("pictures/train/good_posture/a.png")
    yield "compare", at.beside / "pictures", "--out", at.beside / "report"


@learning("A copy of a device that is not there", where="/none", advice="--root takes one that holds proc and sys")
def no_root(at: Place) -> Made:
    yield "doctor", "--root", "/none"
