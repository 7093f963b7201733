"""The strategies side by side: what is refused, what is kept, and what the page says. Pictures of the fake desk."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from posture_daemon.bootstrap.models import champion, open_store
from posture_daemon.cli.compare import _chosen
from posture_daemon.comparison.comparison import Comparison, run_comparison
from posture_daemon.comparison.report import Facts, write_report
from posture_daemon.comparison.scores import Result, Scores
from posture_daemon.comparison.workspace import from_folder
from posture_daemon.datasets import import_folder
from posture_daemon.domain import Split, Strategy
from posture_daemon.errors import DatasetError, SettingsError
from posture_daemon.fake_desk.sessions import Session, write_pictures
from posture_daemon.learning.evaluation import Evaluation
from posture_daemon.settings import LabelSettings, Settings, StrategySettings, TrainingSettings
from posture_daemon.store import Store
from posture_daemon.store.json_values import from_json

CLASSES = ("good_posture", "bad_posture")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """One epoch, one view, small blocks."""
    return Settings(
        data_dir=tmp_path / "data",
        training=TrainingSettings(views=1, threads=1),
        labels=LabelSettings(block_files=2),
        strategies=StrategySettings(epochs=1),
    )


@pytest.fixture
def models(settings: Settings) -> Store:
    """A data folder with the starter model."""
    return open_store(settings)


def write_dataset(folder: Path, splits: tuple[str, ...] = ("train", "val"), classes: tuple[str, ...] = CLASSES) -> Path:
    """Four pictures of each class in each split."""
    for number, split in enumerate(splits):
        write_pictures([Session("test", 2, 5, 9.0, 100 + number)], folder / split, classes, 4, 160)
    return folder


def fingerprint(folder: Path) -> dict[str, str]:
    """Every file below a folder and its digest."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def holdings(store: Store) -> tuple[object, ...]:
    """What a comparison must leave as it is."""
    return store.models.champion_id(), len(store.models.all()), store.labels.labelled(), store.runs.recent()


def compare(
    models: Store, settings: Settings, out: Path, *strategies: Strategy, dataset: Path | None = None
) -> list[str]:
    """Run a comparison; returns what it said."""
    said: list[str] = []
    run_comparison(Comparison(out, strategies, dataset), models, champion(models), settings, said.append)
    return said


@pytest.mark.parametrize(
    ("splits", "classes", "sentence"),
    [
        ((), CLASSES, "There is no folder"),
        (("train",), CLASSES, r"has no pictures in val/; the strategies cannot be judged without\."),
        (("val",), CLASSES, r"has pictures of fewer than two classes in train/\."),
        (("train", "val"), CLASSES[:1], r"has pictures of fewer than two classes in train/\."),
    ],
)
def test_a_folder_that_allows_no_comparison_is_refused(
    models: Store, settings: Settings, tmp_path: Path, splits: tuple[str, ...], classes: tuple[str, ...], sentence: str
) -> None:
    """One sentence, before anything is trained."""
    dataset = write_dataset(tmp_path / "dataset", splits, classes)
    with pytest.raises(DatasetError, match=sentence):
        compare(models, settings, tmp_path / "out", Strategy.REPLAY, dataset=dataset)


def test_a_report_inside_the_dataset_is_refused(models: Store, settings: Settings, tmp_path: Path) -> None:
    """Nothing is ever written there."""
    dataset = write_dataset(tmp_path / "dataset")
    with pytest.raises(DatasetError, match="lies inside the dataset"):
        compare(models, settings, dataset / "report", Strategy.REPLAY, dataset=dataset)
    assert not (dataset / "report").exists()


def test_a_report_that_cannot_be_written_is_refused(models: Store, settings: Settings, tmp_path: Path) -> None:
    """Here because a file has its name."""
    (tmp_path / "out").write_text("")
    with pytest.raises(DatasetError, match=r"out cannot be written \(Not a directory\)\."):
        compare(models, settings, tmp_path / "out", Strategy.REPLAY)


def test_too_few_labels_in_the_store_are_refused(models: Store, settings: Settings, tmp_path: Path) -> None:
    """Without a dataset the labels count."""
    with pytest.raises(DatasetError, match="too few labels to compare on"):
        compare(models, settings, tmp_path / "out", Strategy.REPLAY)


def test_the_last_pictures_of_each_class_wait_until_the_incumbent_has_learned(
    models: Store, settings: Settings, tmp_path: Path
) -> None:
    """Natural order, a share of each class, never of validation; a broken picture and an empty class are said."""
    dataset = write_dataset(tmp_path / "dataset")
    (dataset / "train" / "na").mkdir()
    (dataset / "train" / "good_posture" / "broken.jpg").write_bytes(b"no picture")
    workspace = from_folder(dataset, tmp_path / "work", models, champion(models), settings, 0.5)
    assert workspace.later is not None
    later = [(image.class_name, image.split) for image in workspace.later]
    assert sorted(later) == [(name, Split.TRAIN) for name in sorted(CLASSES) for _ in range(2)]
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in dataset.glob("train/*/000_00[2367].jpg")}
    assert {image.sha256 for image in workspace.later} == digests
    labelled = workspace.store.labels.labelled()
    assert not {i.frame_id for i in labelled} & {i.frame_id for i in workspace.later}
    assert len(labelled) == 4 + 8
    assert any("broken.jpg cannot be read" in note for note in workspace.notes)
    assert "The class folder train/na holds no pictures and is left out." in workspace.notes
    assert workspace.start.is_base


@pytest.mark.slow
def test_an_interrupted_comparison_goes_on_where_it_was(models: Store, settings: Settings, tmp_path: Path) -> None:
    """The labels in the store: what was finished is read, not run; other settings run it again; the store is as it was."""
    dataset = write_dataset(tmp_path / "dataset")
    import_folder(models, settings, dataset, 1000.0)
    before, out = holdings(models), tmp_path / "out"

    def interrupt(line: str) -> None:
        if line == "finetune: starting":
            raise KeyboardInterrupt

    both = Comparison(out, (Strategy.REPLAY, Strategy.FINETUNE))
    with pytest.raises(KeyboardInterrupt):
        run_comparison(both, models, champion(models), settings, interrupt)
    assert not (out / "report.html").exists()
    assert not (out / "work").exists()
    kept = (out / "results" / "replay.json").stat().st_mtime_ns
    said = compare(models, settings, out, Strategy.REPLAY)
    assert "replay: kept from before" in said
    assert (out / "results" / "replay.json").stat().st_mtime_ns == kept
    assert (out / "report.html").exists()
    (out / "results" / "replay.json").write_text("{")  # damaged: made anew
    assert "replay: starting" in compare(models, settings, out, Strategy.REPLAY)
    other = settings.model_copy(update={"training": TrainingSettings(views=2, threads=1)})
    assert "replay: starting" in compare(models, other, out, Strategy.REPLAY)
    assert holdings(models) == before


def tables_of(page: str) -> dict[str, list[list[str]]]:
    """Texts of the rows of each table, by the table's id."""

    def cells(row: str) -> list[str]:
        found = re.findall(r"<t[dh]\b[^>]*>(.*?)(?=<t[dh]\b|</tr>|$)", row, re.S)
        return [" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in found]

    tables = re.findall(r"""<table[^>]*\bid=["']?([\w-]+)[^>]*>(.*?)</table>""", page, re.S)
    return {name: [cells(row) for row in re.split(r"<tr\b[^>]*>", body)[1:]] for name, body in tables}


def made_up(name: str, right: int, **values: object) -> Result:
    """A result with `right` of ten pictures of each class called right."""
    evaluation = Evaluation(CLASSES, ((right, 10 - right), (0, 10)), None)
    return Result(name, "key", scores={"val": Scores(**vars(evaluation), top5=1.0)}, **values)  # type: ignore[arg-type]


def test_the_page_shows_what_was_measured(tmp_path: Path) -> None:
    """Numbers in the table, a matrix for each model, failures in words, and nothing fetched from elsewhere."""
    facts = Facts(
        "<my> desk", "model 1 (starter)", 160, True, {"old": {"good_posture": 7}, "val": dict.fromkeys(CLASSES, 10)}, 3,
        {"epochs": 2}, {"ultralytics": "8.4"}, ("one.jpg cannot be read.",),
    )  # fmt: skip
    results = [
        made_up("incumbent", 5),
        made_up("all", 6, seconds=12.345, seconds_per_epoch=1.5, best_epoch=2, curve=(0.5, 0.8), peak_memory_bytes=10**9,
                train_images={"good_posture": 7}),
        Result("new", "key", failure="There are no labels."),
        made_up("replay", 9, seconds=0.5, peak_memory_bytes=10**8, train_images={"good_posture": 7}),
    ]  # fmt: skip
    text = write_report(tmp_path, facts, results).read_text()
    tables = tables_of(text)
    rows = {row[0].split()[0]: row[1:] for row in tables["results"][1:]}
    assert rows["all"] == ["0.800", "1.000", "12.3 s", "1.50 s", "2", "1,000 MB", "7"]
    assert rows["replay"] == ["0.950", "1.000", "0.50 s", "–", "–", "100 MB", "7"]
    assert rows["new"] == ["There are no labels."]
    assert rows["incumbent"][0] == "0.750"
    assert tables["recall"][3] == ["replay", "0.900", "1.000"]
    images = re.findall(r"<img\b[^>]*\bsrc=[\"']?([^\"'\s>]+)", text)
    assert len(images) == 3 + 3 + 1  # bars, matrices, the curve
    assert all(image.startswith("data:image/svg+xml;base64,") for image in images)
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", text)
    assert "&lt;my&gt; desk" in text
    assert "one.jpg cannot be read." in text
    plain = json.loads((tmp_path / "results.json").read_text())
    assert from_json(Result, plain["results"][1]) == results[1]


def test_an_unknown_strategy_is_refused() -> None:
    """With those that exist; the order given does not matter."""
    with pytest.raises(SettingsError, match=r"'magic' is no strategy; --strategies takes scratch, all, new"):
        _chosen("all,magic")
    assert _chosen("replay, all,all") == (Strategy.ALL, Strategy.REPLAY)


@pytest.mark.torch
@pytest.mark.slow
def test_a_folder_is_compared_from_its_pictures_to_the_page(models: Store, settings: Settings, tmp_path: Path) -> None:
    """The incumbent learns the old part, then each strategy what it should; the folder stays as it was."""
    dataset = write_dataset(tmp_path / "dataset", ("train", "val", "test"))
    before, out = fingerprint(dataset), tmp_path / "out"
    said = compare(models, settings, out, Strategy.FINETUNE, Strategy.REPLAY, dataset=dataset)
    assert fingerprint(dataset) == before
    assert any(line.startswith("finetune: epoch 1 of 1") for line in said)
    results = {r["name"]: r for r in json.loads((out / "results.json").read_text())["results"]}
    assert list(results) == ["incumbent", "finetune", "replay"]
    assert results["finetune"]["train_images"] == dict.fromkeys(CLASSES, 1)  # the last 30 % of four
    assert results["replay"]["train_images"] == dict.fromkeys(CLASSES, 4)
    assert len(results["finetune"]["curve"]) == results["finetune"]["best_epoch"] == 1
    for result in results.values():
        assert {split: scores["images"] for split, scores in result["scores"].items()} == {"val": 8, "test": 8}
    again = compare(models, settings, out, Strategy.FINETUNE, Strategy.REPLAY, dataset=dataset)
    assert [line for line in again if line.endswith(": starting") or "training from scratch" in line] == []
