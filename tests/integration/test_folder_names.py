"""Names of class folders: forms of letters, case, spaces and brackets, there and back."""

import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from posture_daemon.datasets import export_folder, import_folder
from posture_daemon.errors import DatasetError
from posture_daemon.labelling.session import Labelling
from posture_daemon.settings import Settings
from posture_daemon.store import Store
from tests.builders import coloured_jpeg, ensure_classes

NOW = 1_700_000_000.0
NFD = unicodedata.normalize("NFD", "krümmung")


def put(root: Path, *folders: str) -> None:
    """One picture in each folder, unlike all others."""
    for folder in folders:
        path = root / folder / "a.jpg"
        path.parent.mkdir(parents=True)
        path.write_bytes(coloured_jpeg("good", len(list(root.rglob("*.jpg")))))


def labels(store: Store) -> Counter[str]:
    """Labels by class."""
    return Counter(image.class_name for image in store.labels.labelled())


def test_folders_that_differ_in_case_or_form_are_one_class(tmp_path: Path, store: Store) -> None:
    """The first in natural order says how it is written; a space around a name is none of it."""
    settings = Settings(data_dir=store.folder)
    put(tmp_path / "set", "Krümmung", NFD, "leaning left", "Leaning  Left", "[red] x", "good_posture ")
    ensure_classes(store, "Good_Posture")
    import_folder(store, settings, tmp_path / "set", NOW)
    assert labels(store) == {"krümmung": 2, "Leaning Left": 2, "[red] x": 1, "Good_Posture": 1}


def test_an_export_that_a_mac_has_written_to_is_read_and_written_again(tmp_path: Path, store: Store) -> None:
    """A picture that was sorted into a folder with its accents apart stays there, and counts as imported."""
    settings, folder = Settings(data_dir=store.folder), tmp_path / "out"
    put(tmp_path / "set", "uncategorized", "good")
    import_folder(store, settings, tmp_path / "set", NOW)
    export_folder(store, settings, folder, NOW)
    (folder / NFD).mkdir()
    waiting = next((folder / "uncategorized").iterdir())
    waiting.rename(folder / NFD / waiting.name)
    import_folder(store, settings, folder, NOW)
    assert labels(store) == {"krümmung": 1, "good": 1}
    export_folder(store, settings, folder, NOW)
    assert sorted(path.parent.name for path in folder.rglob("*.jpg")) == ["good", NFD]
    assert not import_folder(store, settings, folder, NOW).changed


def test_a_folder_that_can_be_no_class_is_named_before_anything_is_written(tmp_path: Path, store: Store) -> None:
    """Also where another folder would be a new class."""
    put(tmp_path / "set", "fine", "Unknown")
    with pytest.raises(DatasetError, match=r"'Unknown' is reserved, .*; rename the folder 'Unknown'\.$"):
        import_folder(store, Settings(data_dir=store.folder), tmp_path / "set", NOW)
    assert [c.name for c in store.labels.classes()] == []


def test_an_answer_may_name_a_class_in_any_form(tmp_path: Path, store: Store) -> None:
    """As `wrong GOOD` does."""
    put(tmp_path / "set", "uncategorized", "krümmung")
    settings = Settings(data_dir=store.folder)
    import_folder(store, settings, tmp_path / "set", NOW)
    labelling = Labelling(store, settings.labels, lambda: NOW)
    frame = labelling.next()
    assert frame is not None
    labelling.answer(frame.id, NFD.upper())
    assert labels(store) == {"krümmung": 2}
