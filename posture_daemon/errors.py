"""The one tree of exceptions that posture-daemon raises on purpose.

PostureError                 anything a user can be told in one sentence
├── SettingsError            a settings file, variable or option is wrong
├── DataFolderError          the data folder cannot be used (read-only, locked, newer schema, damaged)
│   ├── DiskUnwritable       … because its disk is full or read-only
│   └── DatabaseDamaged      … because its database is damaged; a backup can be restored
├── CameraError              a camera cannot be opened, or stopped giving frames
│   └── CameraRefused        … because it refuses the user or the password; asking often may lock the account
├── DeviceError              what stands for a device cannot be looked at
├── ModelError               a model file is missing, damaged, or not of a kind we can use
│   └── CheckpointRefused    an imported checkpoint is not a YOLO11 classification model
├── DownloadError            a download failed or its checksum does not match
├── DatasetError             a folder of images or labels cannot be read as a dataset
│   └── PictureRefused       … because a file is no picture, or not one to learn from
├── LabelError               an answer about a frame cannot be carried out
├── PageError                the label page cannot be served
├── ServiceError             the system service cannot be installed, removed or asked
├── UnwellError              the daemon does not run, or does not get on
└── TrainingError            a training child process ended without a result
    ├── TrainingCancelled    … because it was told to, for example at shutdown
    └── TrainingOutOfMemory  … because memory ran out, in whatever form

Expected endings (a training that is deferred, a challenger that is kept out) are values, not exceptions: see `domain.Outcome`.
`Stopped` is none of them, since nobody may take it for a failure and go on: it passes every `except PostureError` and
`except Exception`, and ends the command with 0.

The message of each is one complete sentence: what is wrong, where, and what to do. The command line prints it and exits 1.
"""


class PostureError(Exception):
    """Base of all errors that are meant for a user; `str(error)` is one sentence."""


class SettingsError(PostureError):
    """A setting is unknown, malformed or out of range."""


class DataFolderError(PostureError):
    """The data folder is missing, unwritable, locked by another daemon, damaged or of a newer schema."""


class DiskUnwritable(DataFolderError):
    """The disk is full or has become read-only: whatever is to be written now fails, for one and the same reason."""


class DatabaseDamaged(DataFolderError):
    """The content of the database is not what was written; `posture-daemon restore` brings a backup back."""


class CameraError(PostureError):
    """A camera cannot be opened or has stopped delivering frames."""


class CameraRefused(CameraError):
    """A camera refuses the user or the password; many lock an account that tries again and again."""


class DeviceError(PostureError):
    """A device, or a folder that stands for one, cannot be looked at."""


class ModelError(PostureError):
    """A model file is missing, damaged, or incompatible."""


class CheckpointRefused(ModelError):
    """An imported file is not a YOLO11 classification checkpoint that we can use."""


class DownloadError(PostureError):
    """A download failed, or what arrived does not match its checksum."""


class DatasetError(PostureError):
    """A folder cannot be read as labelled images."""


class PictureRefused(DatasetError):
    """A file is not a picture, or not a whole one; `reason` says why in a few words, so that files can be counted by it."""

    def __init__(self, reason: str, name: object = "The data") -> None:
        super().__init__(f"{name} cannot be read as a picture ({reason}).")
        self.reason = reason


class LabelError(PostureError):
    """An answer to a queued frame cannot be carried out."""


class PageError(PostureError):
    """The label page cannot be served."""


class ServiceError(PostureError):
    """The system service cannot be installed, removed or asked."""


class UnwellError(PostureError):
    """The daemon of a data folder does not run, is silent, or its capture loop hangs."""


class Stopped(BaseException):
    """The command was told to stop: an order that is obeyed, and no failure. `by` is the signal, where one is its cause."""

    def __init__(self, words: str = "Stopped; nothing more was done.", by: int | None = None) -> None:
        super().__init__(words)
        self.by = by


class TrainingError(PostureError):
    """A training child process ended without a usable result."""


class TrainingCancelled(TrainingError):
    """A training was ended on purpose; it is deferred, not failed."""


class TrainingOutOfMemory(TrainingError):
    """Memory ran out during a training; the next one is made smaller."""
