"""Which folders of a data set are classes, which hold them, and which cannot be told. The pictures are empty files."""

import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from posture_daemon.datasets import read_layout
from posture_daemon.errors import DatasetError

BOX = "0 0.5 0.5 0.2 0.2\n"


def tree(root: Path, *files: str) -> Path:
    """Write files: pictures are empty, a text of the same name as a picture holds a box. `{a,b}` stands for both."""
    for name in (one for text in files for one in spread(text)):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(BOX if path.suffix == ".txt" else "")
    return root


def spread(text: str) -> list[str]:
    """`{a,b}/1.jpg` is two names."""
    before, brace, rest = text.partition("{")
    if not brace:
        return [text]
    inside, _, after = rest.partition("}")
    return [one for word in inside.split(",") for one in spread(before + word + after)]


def read(root: Path, *known: str) -> dict[str, int]:
    """Number of pictures by `class` or `class:split`."""
    images = read_layout(root, known).images
    return dict(Counter(image.folder + (f":{image.split.value}" if image.split else "") for image in images))


GB, BOTH = "{good,bad}", {"good": 1, "bad": 1}
SPLIT = {"good:train": 1, "bad:train": 1, "good:holdout": 1, "bad:holdout": 1}


def ones(*classes: str) -> dict[str, int]:
    """One picture of each class."""
    return dict.fromkeys(classes, 1)


def splits(*classes: str) -> dict[str, int]:
    """One picture of each class for training, and one held out."""
    return ones(*(f"{name}:{split}" for name in classes for split in ("train", "holdout")))


READ: dict[str, tuple[list[str], dict[str, int]]] = {
    # a data set one or more folders too deep
    "wrapper": ([f"posture-v1/{{train,valid}}/{GB}/1.jpg"], SPLIT),
    "wrapper without splits": ([f"posture-v1/{GB}/1.jpg"], BOTH),
    "two wrappers": ([f"archive/posture/{{train,val}}/{GB}/1.jpg"], SPLIT),
    "a zip file unpacked into a folder of its name": ([f"foo/foo/{{train,val}}/{GB}/1.jpg"], SPLIT),
    "of GitHub": ([f"posture-main/data/{GB}/1.jpg", "posture-main/README.md", "posture-main/src/train.py"], BOTH),
    "beside a readme": (["README.md", f"dataset/{{train,test}}/{GB}/1.jpg"], {**BOTH, "good:test": 1, "bad:test": 1}),
    "classes of no posture's name": (["dataset/{monday_shirt,other}/1.jpg"], {"monday_shirt": 1, "other": 1}),
    "containers side by side": ([f"data/{GB}/1.jpg", f"images/{GB}/2.jpg"], {"good": 2, "bad": 2}),
    "images by class": ([f"images/{GB}/1.jpg"], BOTH),
    "images by split and class": ([f"images/{{train,val}}/{GB}/1.jpg"], SPLIT),
    "a split around a container": ([f"{{train,val}}/images/{GB}/1.jpg"], SPLIT),
    "a wrapper whose name speaks of posture": ([f"bad_posture_dataset/{GB}/1.jpg"], BOTH),
    "a wrapper called as a pose": (["Sitting Posture/{Good,Bad}/1.jpg"], {"Good": 1, "Bad": 1}),
    "of Roboflow": ([f"Posture.v2i.folder/{{train,valid}}/{GB}/1.jpg", "Posture.v2i.folder/README.dataset.txt"], SPLIT),
    # splits by other names
    "training and validation": ([f"{{training,validation}}/{GB}/1.jpg"], SPLIT),
    "Training and Testing": (["{Training,Testing}/good/1.jpg"], {"good": 1, "good:test": 1}),
    "train_set and dev_set": ([f"{{train_set,dev_set}}/{GB}/1.jpg"], SPLIT),
    "trainset and valset": ([f"{{trainset,ValSet}}/{GB}/1.jpg"], SPLIT),
    "of COCO's years": ([f"{{train2017,val2017}}/{GB}/1.jpg"], SPLIT),
    "eval": ([f"{{TRAIN,Eval}}/{GB}/1.jpg"], SPLIT),
    "splits within names": ([f"posture_{{train,val}}/{GB}/1.jpg"], SPLIT),
    "splits below the classes": ([f"{GB}/{{train,val}}/1.jpg"], SPLIT),
    "splits below classes of any name": (
        ["{red,blue}/{train,val}/1.jpg"],
        {f"{c}:{s}": 1 for c in ("red", "blue") for s in ("train", "holdout")},
    ),
    "a split unpacked twice": ([f"{{train/train,val/val}}/{GB}/1.jpg"], SPLIT),
    "flat pictures to be predicted": ([f"{{train,val}}/{GB}/1.jpg", "test/1.jpg"], SPLIT),
    "folds": ([f"fold{{1,2}}/{GB}/1.jpg"], {"good": 2, "bad": 2}),
    "in French": (["{entraînement,validation}/{bon,mauvais}/1.jpg"], splits("bon", "mauvais")),
    "in Spanish": (
        ["{entrenamiento,validación,prueba}/{a,b}/1.jpg"],
        {**splits("a", "b"), "a:test": 1, "b:test": 1},
    ),
    "of FER2013": (["{Training,PublicTest,PrivateTest}/{a,b}/1.jpg"], {"a": 1, "b": 1, "a:test": 2, "b:test": 2}),
    "hold-out and unseen": ([f"{{train,hold-out,unseen}}/{GB}/1.jpg"], {**SPLIT, "good:test": 1, "bad:test": 1}),
    "numbers too high": (["mnist_png/{train,val}/{0,1}/1.jpg"], splits("0", "1")),
    "a data set of any name": (["foo_80_20/{train,val}/{a,b}/1.jpg"], splits("a", "b")),
    "a single folder within splits": (["dataset/{train,val}/person/{gut,schlecht}/1.jpg"], splits("gut", "schlecht")),
    "a single folder of unknown words within splits": (["{train,val}/person/{red,blue}/1.jpg"], splits("red", "blue")),
    "splits in capitals within words": ([f"{{PostureTrain,PostureVal}}/{GB}/1.jpg"], SPLIT),
    # wrappers that speak of a posture
    "kinds of sitting": (["sitting_posture/{upright,slouching,phone}/1.jpg"], ones("upright", "slouching", "phone")),
    "recognition": (["SittingPostureRecognition/{TUP,TLF,TLB}/1.jpg"], ones("TUP", "TLF", "TLB")),
    "a desk": (["standing desk/{upright,slouched,keyboard}/1.jpg"], ones("upright", "slouched", "keyboard")),
    "absence": (["na/{good_posture,bad_posture}/1.jpg"], ones("good_posture", "bad_posture")),
    "versus": (["sitting vs standing/{a,b}/1.jpg"], ones("a", "b")),
    "the same in two": (
        ["{sitting,standing}/{upright,slouching,phone}/1.jpg"],
        {"upright": 2, "slouching": 2, "phone": 2},
    ),
    # several folders that are no classes, and chains
    **{
        f"{one} and {other}": ([f"{{{one},{other}}}/{{gerade,krumm}}/1.jpg"], {"gerade": 2, "krumm": 2})
        for one, other in (
            ("Anna", "Bob"),
            ("büro", "zuhause"),
            ("office", "car"),
            ("phone", "webcam"),
            ("Lernen", "Prüfung"),
            ("Montag", "Dienstag"),
            ("v1", "v2"),
            ("Person A", "Person B"),
            ("01_anna", "02_ben"),
        )
    },
    "weekdays with classes of any name": (["{Montag,Dienstag,lunes}/{red,blue}/1.jpg"], {"red": 3, "blue": 3}),
    "versions of classes of any name": (["{v1,v2}/{red,blue}/1.jpg"], {"red": 2, "blue": 2}),
    "persons by letter": (["Person {A,B}/{red,blue}/1.jpg"], {"red": 2, "blue": 2}),
    "a person among persons by name": (["{anna,person_2}/{red,blue}/1.jpg"], {"red": 2, "blue": 2}),
    "a chain": (["a/b/c/d/{cobra,tree}/1.jpg"], ones("cobra", "tree")),
    "a chain of one name": (["archive/Posture/Posture/{gut,schlecht}/1.jpg"], ones("gut", "schlecht")),
    "an artifact": (["artifacts/ds:v0/{a,b}/1.jpg"], ones("a", "b")),
    "parts of a zip file of Google": (
        ["good-20240101T101010Z-00{1,2}/good/1.jpg", "bad-20240101T101011Z-001/bad/1.jpg"],
        {"good": 2, "bad": 1},
    ),
    # persons and days above the classes
    "persons": ([f"person{{1,2}}/{GB}/1.jpg"], {"good": 2, "bad": 2}),
    "persons by name": ([f"{{anna,ben}}/{GB}/1.jpg"], {"good": 2, "bad": 2}),
    "days": ([f"2024-0{{1,2}}-03/{GB}/1.jpg"], {"good": 2, "bad": 2}),
    "numbers": (["{001,002}/{red,blue}/1.jpg"], {"red": 2, "blue": 2}),
    "persons in splits": (
        [f"train/p{{1,2}}/{GB}/1.jpg", "val/p3/good/1.jpg"],
        {"good:train": 2, "bad:train": 2, "good:holdout": 1},
    ),
    "splits in persons": ([f"subject_{{1,2}}/{{train,val}}/{GB}/1.jpg"], dict.fromkeys(SPLIT, 2)),
    "weekdays": ([f"{{monday,Tuesday}}/{GB}/1.jpg"], {"good": 2, "bad": 2}),
    "variants of the same classes": (["{original,augmented,grey}/{red,blue}/1.jpg"], {"red": 3, "blue": 3}),
    "years and days": (["2024/{05-01,05-02}/{good,bad}/1.jpg"], {"good": 2, "bad": 2}),
    "mixed depth": ([f"{GB}/1.jpg", f"more/{GB}/2.jpg", "good/deep/3.jpg"], {"good": 3, "bad": 2}),
    "as the classes beside": (["{red,blue}/1.jpg", "extra/{red,blue}/2.jpg"], {"red": 2, "blue": 2}),
    # true classes that hold folders
    "sessions in classes": ([f"{GB}/2024-0{{1,2}}-01/1.jpg"], {"good": 2, "bad": 2}),
    "a single class with sessions": (["good_posture/{2024-01-01,session2}/1.jpg"], {"good_posture": 2}),
    "persons in classes": (["{standing,sitting}/{anna,ben}/1.jpg"], {"standing": 2, "sitting": 2}),
    "kinds of bad": (["good/1.jpg", "bad/{slouching,leaning}/1.jpg"], {"good": 1, "bad": 2}),
    "evident classes with folders of the same names": (["{good,bad}/{anna,ben,phone}/1.jpg"], {"good": 3, "bad": 3}),
    "a class of any name beside an evident one": (["{good,thing}/{anna,ben}/1.jpg"], {"good": 2, "thing": 2}),
    "the same kinds of good and bad": (["{good,bad}/{sitting,standing}/1.jpg"], {"good": 2, "bad": 2}),
    "classes of any name with days": (["{red,blue}/{2024-01-01,session 2,monday,007}/1.jpg"], {"red": 4, "blue": 4}),
    "one fold": ([f"fold_0/{{train,val}}/{GB}/1.jpg"], SPLIT),
    "a class with pictures at two depths": (["red/1.jpg", "red/more/2.jpg", "blue/1.jpg"], {"red": 2, "blue": 1}),
    "numbered classes": (["{0,1,2}/1.jpg"], {"0": 1, "1": 1, "2": 1}),
    "lettered classes": (["{c0,c1}/1.jpg"], {"c0": 1, "c1": 1}),
    "of Teachable Machine": (["Class {1,2}/1.jpg"], {"Class 1": 1, "Class 2": 1}),
    "texts beside pictures": (["good/1.jpg", "bad/1.jpg", "good/notes.md"], BOTH),
    "boxes beside pictures of postures": (["{good,bad}/1.{jpg,txt}"], BOTH),
    # what has no class, or is of other programs
    "of CVAT": (["default/{good,no_label}/1.jpg"], {"good": 1, "uncategorized": 1}),
    "unlabelled": (["{good,_unlabeled,Unlabelled,unsorted}/1.jpg"], {"good": 1, "uncategorized": 3}),
    "waiting in other words": (
        [
            "{good,unlabelled images,to be labelled,not sorted,_todo,inbox,Images to label,un-sorted,nicht sortiert}/1.jpg"
        ],
        {"good": 1, "uncategorized": 8},
    ),
    "of trainings": (["{good,runs,wandb}/1.jpg"], {"good": 1}),
    "other programs": ([f"{{.,__MACOSX,.ipynb_checkpoints,@eaDir,#recycle}}/{GB}/1.jpg"], BOTH),
    "a program's folder within a class": (["good/1.jpg", "good/@eaDir/1.jpg/THUMB.jpg"], {"good": 1}),
}


@pytest.mark.parametrize("case", READ)
def test_what_is_unambiguous_is_read(tmp_path: Path, case: str) -> None:
    """The right classes and splits, however deep they lie and whatever other tools call them."""
    files, expected = READ[case]
    assert read(tree(tmp_path, *files)) == expected


REFUSED: dict[str, tuple[list[str], str]] = {
    "detection": (["{train,valid}/images/1.jpg", "{train,valid}/labels/1.txt"], r"train/images .*boxes"),
    "detection of ultralytics": (["images/{train,val}/1.jpg", "labels/{train,val}/1.txt", "data.yaml"], "boxes"),
    "detection without splits": (["images/1.jpg", "labels/1.txt", "classes.txt"], "boxes"),
    "detection, texts beside": (["{train,valid}/1.{jpg,txt}", "data.yaml"], "boxes"),
    "of Darknet": (["obj_train_data/1.{jpg,txt}", "obj.names"], "boxes"),
    "boxes in folders of any name": (["{desk_left,desk_right}/1.{jpg,txt}"], "Beside the pictures .* boxes"),
    "of Pascal VOC": (["JPEGImages/1.jpg", "Annotations/1.xml", "ImageSets/Main/train.txt"], "boxes"),
    "of COCO": (["train2017/1.jpg", "val2017/1.jpg", "annotations/instances_train2017.json"], "boxes"),
    "of Roboflow's COCO": (["{train,valid}/1.jpg", "{train,valid}/_annotations.coco.json"], "boxes"),
    "many labels a picture": (["train/1.jpg", "train/_classes.csv"], "list"),
    "masks": (["images/1.jpg", "masks/1.png"], "masks"),
    "masks of Pascal VOC": (["SegmentationClass/1.png", "good/1.jpg"], "masks"),
    "of Supervisely": (["ds/img/1.jpg", "ds/ann/1.json"], "boxes|sorted"),
    "a list": (["pictures/1.jpg", "labels.csv"], "nobody sorted|list"),
    "a wrapper without classes": (["dataset/1.jpg"], r"dataset .*nobody sorted"),
    "wrappers down to the pictures": (["archive/data/1.jpg"], "nobody sorted"),
    "a container beside classes": (["{good,bad,images}/1.jpg"], r"images .*nobody sorted"),
    "a new folder": (["{good,New folder}/1.jpg"], r"New folder .*nobody sorted"),
    "uploads of Label Studio": (["media/upload/1/1.jpg"], "upload"),
    "days without classes": (["2024-0{1,2}-03/1.jpg"], r"2024-01-03 .*day"),
    "a day beside classes": (["{good,bad,session_3}/1.jpg"], r"session_3 .*session"),
    "persons without classes": (["person{1,2}/1.jpg"], "person"),
    "only splits": (["{train,val}/1.jpg"], r"train holds pictures but no class folders"),
    "splits of nothing": (["thing/{train,val}/1.jpg"], "no class folders in them"),
    "one folder that may be either": (["thing/{red,blue}/1.jpg"], r"give \S+thing itself"),
    "a folder with pictures and classes": (["thing/1.jpg", f"thing/{GB}/1.jpg", "good/2.jpg"], "its own pictures"),
    "weekdays without classes": (["{monday,tuesday}/1.jpg"], "day"),
    "films": (["video{1,2}_frames/1.jpg"], "session"),
    "splits in the names of classes": (["{good,bad}_{train,test}/1.jpg"], r"\w+_test names a split"),
    "arrays of a course": (["{x,y}_train/1.jpg"], r"x_train names a split"),
    "a split in a language that is not known": (["{oefenen,validation}/{bon,mauvais}/1.jpg"], r"oefenen .*not called train"),
    "a copy of a class": (["{good,bad,good - Copy (2)}/1.jpg"], "looks like a copy"),
    "a task of CVAT": (["task_1/data/1.jpg", "task_1/annotations.json"], r"annotations\.json .*boxes"),
    "boxes by camera": (["{x,y}/images/1.jpg", "{x,y}/labels/1.txt"], "boxes"),
    "several data sets": ([f"posture-{{v1,v2}}/{{train,val}}/{GB}/1.jpg"], r"several .*give one of them, such as \S+v1\."),
    "versions side by side": ([f"{{v1,v2}}/{{train,val}}/{GB}/1.jpg"], "several data sets"),
    "folds with splits": ([f"fold_{{0,1}}/{{train,val}}/{GB}/1.jpg"], r"several .*give one of them, such as \S+fold_0\."),
    "splits by number": ([f"split{{1,2}}/{{train,test}}/{GB}/1.jpg"], "several data sets"),
    "folds by number": ([f"{{0,1,2}}/{{train,val}}/{GB}/1.jpg"], "several data sets"),
    "folds in a folder": ([f"cv/Fold {{1,2}}/{{train,val}}/{GB}/1.jpg"], r"/cv holds several"),
    "shares": ([f"{{80,20}}/{GB}/1.jpg"], "shares of a split"),
    "shares in percent": ([f"{{70%,15 %,15percent}}/{GB}/1.jpg"], "shares of a split"),
    "a split of which nobody knows": ([f"{{train,val,heldback}}/{GB}/1.jpg"], r"heldback lies beside the splits train/, val/"),
    "pictures of an unknown split": ([f"{{train,val}}/{GB}/1.jpg", "heldback/1.jpg"], r"heldback lies beside"),
    "an unknown split within names": ([f"posture_{{train,val,rest}}/{GB}/1.jpg"], r"posture_rest lies beside"),
    "splits and more in a class": (["{good,bad}/{train,val,extra}/1.jpg"], r"bad/train is called like a split"),
    "splits and pictures in a class": (["good/{train,val}/1.jpg", "good/2.jpg"], r"good/train is called like a split"),
    "a class with a split as one of its folders": (["good/{test,monday}/1.jpg", "bad/1.jpg"], r"good/test is called like"),
    "splits deep in a class": (["{good,bad}/anna/{train,val}/1.jpg"], r"anna/train is called like a split"),
    "a split in a class in another split": (["{train,val}/good/test/1.jpg"], "another split"),
    "domains of CycleGAN": (["{trainA,trainB,testA,testB}/1.jpg"], r"testA names a split"),
    "classes of any name with folders": (["{red,blue}/{anna,ben}/1.jpg"], r"told whether \S+blue .*classes add anna .*such as"),
    "places with classes of any name": (["{office,home,car}/{cobra,tree}/1.jpg"], r"classes add cobra .*classes add car"),
    "classes or persons, with splits": (["{red,blue}/{train,val}/{anna,ben}/1.jpg"], "told whether|several"),
    "a name that speaks of a posture": (["forward-head/{normal,fhp}/1.jpg"], r"give \S+forward-head itself"),
    "directions": (["leaning/{left,right,forward,back}/1.jpg"], r"give \S+leaning itself"),
    "both in a name": (["correct_incorrect/{a,b}/1.jpg"], r"give \S+correct_incorrect itself"),
    "pictures of postures": (["Sitting Posture Images/{TUP,TLF}/1.jpg"], r"give \S+Sitting Posture Images itself"),
    "kinds of bad alone": (["bad/{slouching,leaning}/1.jpg"], r"give \S+bad itself"),
    "one folder in one": (["yoga/tree/1.jpg"], r"give \S+yoga itself"),
    **{
        copy: ([f"{{good,bad,{copy}}}/1.jpg"], "looks like a copy")
        for copy in (
            "good 2",
            "good - copia",
            "copia de good",
            "good – Kopie (2)",
            "good (1)",
            "good (conflicted copy 2024-01-01)",
            "good (Annas Konflikt)",
            "good.sync-conflict-20240101-101010-ABC",
            "good_backup",
        )
    },
    **{
        aside: ([f"{{good,{aside}}}/1.jpg"], "put aside")
        for aside in ("trash", "rejected", "Rejected Images", "predict", "predict2", "Papierkorb")
    },
    "parts of a data set with splits": ([f"dataset-fold{{1,2}}/{{train,val}}/{GB}/1.jpg"], "several data sets"),
    "a person without classes beside others": ([f"{{anna,ben}}/{GB}/1.jpg", "carl/1.jpg"], r"carl holds no class folders"),
    "persons with containers": (["{anna,ben}/images/{red,blue}/1.jpg"], r"classes add blue"),
    "guesses of a model": ([f"{GB}/1.jpg", f"predictions/{GB}/2.jpg"], r"predictions is called like"),
    "checked and not": (["{Validated,Rejected}/{gerade,krumm}/1.jpg"], r"Rejected is called like"),
    "what was put aside within a class": (["good/{rejected,unsorted}/1.jpg", "bad/1.jpg"], r"lies in the class good"),
    "splits that contradict": ([f"train/val/{GB}/1.jpg"], "another split"),
    "nothing sorted": (["1.jpg"], "holds pictures but no class folders"),
    "no pictures": (["good/1.csv"], "no pictures"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_class_is_refused(tmp_path: Path, case: str) -> None:
    """In one sentence or two that name the folder and what to do; a folder never becomes a class silently."""
    files, words = REFUSED[case]
    with pytest.raises(DatasetError, match=words) as refused:
        read(tree(tmp_path, *files))
    assert str(tmp_path) in str(refused.value)
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize(
    "name", ["images", "data", "session_3", "2024-01-01", "labels", "training", "person1", "unlabeled"]
)
def test_a_name_that_is_a_class_already_stays_one(tmp_path: Path, name: str) -> None:
    """Whatever it looks like, once the owner or a model calls a class so."""
    root = tree(tmp_path, f"{name.title()}/1.jpg", "good/1.jpg")
    assert read(root, name) == {name.title(): 1, "good": 1}


@pytest.mark.parametrize("name", ["runs", "thumbs", "checkpoints", "lost+found", "recycler", "WandB", "@eaDir"])
def test_a_class_called_as_what_programs_make_is_read(tmp_path: Path, name: str) -> None:
    """Once there is such a class, or an export says so, in splits and wrappers too; else it is left out."""
    root = tree(tmp_path / "one", f"data/{{train,val}}/{{{name},good}}/1.jpg")
    assert read(root) == {"good:train": 1, "good:holdout": 1}
    of_class = {f"{name}:train": 1, f"{name}:holdout": 1}
    assert read(root, name.upper()) == {**of_class, "good:train": 1, "good:holdout": 1}
    (root / "data" / ".posture-daemon.json").write_text(f'{{"folders": {{"a.jpg": "train/{name}"}}}}')
    assert read(root) == {**of_class, "good:train": 1, "good:holdout": 1}


@pytest.mark.parametrize("depth", [60, 520, 1500])
def test_folders_one_in_another_without_end_are_refused(tmp_path: Path, depth: int) -> None:
    """As a program that copies a folder into itself makes them; the sentence names the outermost one."""
    root = tree(tmp_path, "good/1.jpg", "bad/1.jpg")
    before = Path.cwd()
    try:
        for name in (root / "wild", *map(Path, ["a"] * depth)):
            name.mkdir()
            os.chdir(name)
        os.chdir(before)
        with pytest.raises(DatasetError, match=r"/wild holds more than 50 folders.*take it out of"):
            read(root)
    finally:
        os.chdir(before)
        subprocess.run(["rm", "-rf", root / "wild"], check=True)  # pytest's own way goes down by recursion, too


@pytest.mark.parametrize(
    ("known", "files", "expected"),
    [
        ("red", "{red,blue}/{anna,ben}/1.jpg", {"red": 2, "blue": 2}),
        ("anna", "{red,blue}/{anna,ben}/1.jpg", {"anna": 2, "ben": 2}),
        ("leaning", "leaning/{left,right,forward,back}/1.jpg", {"leaning": 4}),
        ("yoga", "yoga/{tree,cobra}/1.jpg", {"yoga": 2}),
        ("GOOD 2", "{good,good 2,bad}/1.jpg", {"good": 1, "good 2": 1, "bad": 1}),
        ("trash", "{good,trash}/1.jpg", {"good": 1, "trash": 1}),
        ("unseen", "{train,val}/{good,unseen}/1.jpg", splits("good", "unseen")),
        ("test", "good/{test,monday}/1.jpg", {"good": 2}),
    ],
)
def test_what_a_sentence_told_to_say_helps(tmp_path: Path, known: str, files: str, expected: dict[str, int]) -> None:
    """Once one of the names is a class, the rest is told by it."""
    assert read(tree(tmp_path, files), known) == expected


def test_a_known_class_that_holds_good_and_bad_is_asked_about(tmp_path: Path) -> None:
    """Its name says one thing and its folders another."""
    with pytest.raises(DatasetError, match=r"sitting is a class or holds .*take its pictures out"):
        read(tree(tmp_path, "sitting/{good,bad}/1.jpg", "standing/1.jpg"), "sitting")


def test_the_root_is_inside_the_wrappers(tmp_path: Path) -> None:
    """So that what an export says beside its folders is read, however deep it lies."""
    root = tree(tmp_path, f"a/b/{{train,val}}/{GB}/1.jpg", "a/readme.txt", "loose/nothing.txt")
    layout = read_layout(root)
    assert layout.root == root / "a" / "b"
    assert layout.left_out == {"no picture": ("a/readme.txt", "loose/nothing.txt")}


def test_what_is_left_out_is_counted_and_named(tmp_path: Path) -> None:
    """By cause, relative to the folder that was given."""
    root = tree(tmp_path, "good/1.jpg", "1.jpg", "good/.2.jpg", "good/3.csv", "__MACOSX/good/1.jpg", ".git/x")
    (root / "good" / "gone.jpg").symlink_to(root / "nowhere.jpg")
    (root / "again").symlink_to(root / "good")
    layout = read_layout(root)
    assert layout.ignored == 7
    assert layout.left_out == {
        "in no class folder": ("1.jpg",),
        "hidden": (".git/x", "good/.2.jpg"),
        "of other programs": ("__MACOSX/good/1.jpg",),
        "no picture": ("good/3.csv",),
        "links to nothing, or to a folder that is read already": ("good/gone.jpg", "again"),
    }


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    """To another disk, say; a circle ends, and what lies above the folder is not read through a link."""
    tree(tmp_path / "disk", "1.jpg")
    root = tree(tmp_path / "d", "bad/1.jpg")
    (root / "good").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "back").symlink_to(root)
    (root / "bad" / "up").symlink_to(tmp_path)
    assert read(root) == {"good": 1, "bad": 1}


def test_an_export_says_what_its_classes_are(tmp_path: Path) -> None:
    """Its own files beside the folders do, in another data folder too, and inside a wrapper."""
    root = tree(tmp_path, "copied/{images,session_1}/1.jpg")
    (root / "copied" / ".posture-daemon.json").write_text('{"folders": {"a.jpg": "images", "b.jpg": "session_1"}}')
    assert read(root) == {"images": 1, "session_1": 1}
