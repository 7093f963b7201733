"""The words in names of folders: those that data sets and other tools use, in the languages that people sort pictures in.

Roboflow, Label Studio, CVAT, COCO, Pascal VOC, Kaggle, GitHub's, Google Drive's and Windows' zip files. All are in small
letters and without accents, as `folder_names.words_of` gives them. Those that no class may have: see `class_names`.
"""

import re

from posture_daemon.domain import Role
from posture_daemon.labelling.class_names import SPLIT_WORDS


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


BESIDE_SPLIT = _words(
    "set sets data dataset split image images img imgs folder obj samples public private daten datensatz bilder"
)
"""Words that change nothing about a split: `train_set`, `images_train`, `obj_train_data`, `PublicTest`."""

GLUED_SPLIT = re.compile(f"({'|'.join(SPLIT_WORDS)})(?:s?set|s?data|s?daten|split|images|imgs|folder|集|\\d{{4}})?")
"""`trainset`, `val2017`, `testdaten`."""

WAITING = re.compile(
    r"unlabel+ed|unsorted|unclassified|unannotated|unassigned|uncategori[sz]ed|untagged|unsortiert|ungelabelt|todo|inbox|pending"
    r"|(?:not?|non|yetto|needs?|to|tobe|nottobe|notyet|without|awaiting)(?:label|sort|annotat|classif|categori|tag|review)\w*"
    r"|nichtsortiert|zusortieren|nontrie\w*|atrier|sin(?:etiqueta|clasifica)\w*|pendientes?"
)
"""Names, without `_`, spaces and words for pictures, of pictures that have no class yet."""

PICTURE_WORDS = _words("image images img imgs picture pictures pics photo photos frames data new bilder fotos")
"""Words that change nothing about what waits or was put aside: `unlabelled images`."""

ASIDE = _words(
    "trash recycle rubbish garbage bin reject rejects rejected deleted excluded ignored papierkorb verworfen corbeille papelera"
    " predict predicted prediction predictions inference inferences pseudolabels"
)
"""What somebody put aside or a model made: no owner's labels."""

WRAPPER_WORDS = _words(
    "dataset datasets data image images img imgs picture pictures pic pics photo photos jpegimages leftimg8bit frame frames"
    " archive export exports exported download downloads artifact artifacts raw input inputs source src content default"
    " upload uploads media files original originals processed classification classes categories category labeled labelled"
    " sorted annotated project output outputs obj new folder untitled backup old tmp temp all augmented augmentation resized"
    " cropped bilder fotos foto daten datensatz neuer ordner imagenes datos jpg jpeg png rgb final copy extracted unzipped dcim"
    " camera validated verified reviewed"
)
VERSION = re.compile(r"v?\d+")
STRONG_WRAPPER = re.compile(
    r"(?:^|_)(?:datasets?\d*|archive|recognition|classification|classifier|detection|estimation|vs|versus)(?:_|$)"
    r"|dataset\d*$"
)
"""In the words of a name, whatever else stands there: `posture_dataset`, `SittingPostureRecognition`, `sitting vs standing`."""

STRONG_FORM = re.compile(r"\.v\d+i?(?:\.|$)|:v\d+$|-(?:master|main)$|-\d{8}t\d{6}z(?:-\d+)+$")
"""How tools call what they unpack: `posture.v2i.folder`, `ds:v0`, `posture-main`, `good-20240101T101010Z-001`."""

COPIED = r"(?:copy|copia|kopie|kopia|copie|cópia)"
COPY = re.compile(
    rf"{COPIED} (?:of|von|de|di|z|van) (?P<of>.+)"
    rf"|(?P<by>.+?)(?:(?: ?[-–_] ?| ){COPIED}|[ _.-](?:bak|backup)|~|\.sync-conflict-.+|のコピー|的副本)?"
    r"(?: ?\(\d+\)| \d+| \([^)]*(?:conflict|konflikt|conflit|copy|kopie|copia)[^)]*\))?",
    re.IGNORECASE,
)
"""What file managers and file hosts call a folder that was copied: `copy of good`, `good - Copy (2)`, `good 2`."""

BOX_WORDS = _words(
    "label labels annotation annotations ann anns labeltxt bboxes boxes groundtruth gt gtfine imagesets segmentation"
    " segmentations segmentationclass segmentationobject masks"
)
"""Folders of what was drawn into pictures."""

FOLD_WORDS = "fold|kfold|cv|split|set|partition|repeat|seed|iteration|iter|round|trial|run|part"
"""What a cross-validation is repeated in: with splits inside, the test set of one is in the training of another."""

OCCASION_WORDS = (
    "session|sess|person|persons|subject|subj|user|participant|patient|people|proband|day|date|week|month|cam|camera|video|vid"
    f"|clip|rec|recording|take|batch|series|seq|sequence|scene|shot|group|visit|tag|sitzung|aufnahme|{FOLD_WORDS}"
)
WEEKDAY = (
    "(?:mon|tues|wednes|thurs|fri|satur|sun)day|montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag"
    "|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|lunes|martes|miercoles|jueves|viernes|sabado|domingo"
)
OCCASION = re.compile(f"(?:{OCCASION_WORDS})(?:_?\\d+|_[a-z])|{WEEKDAY}")
FOLD = re.compile(f"(?:^|_)(?:(?:{FOLD_WORDS})(?:_?\\d+|_[a-z])|\\d+_?fold)(?:_|$)")
DATE = re.compile(
    r"(?<!\d)(?:(?:19|20)\d\d[-_. ]?[01]\d[-_. ]?[0-3]\d(?:[T_ -]?\d{4,6})?|[0-3]?\d[-_.][01]?\d[-_.](?:19|20)\d\d)(?!\d)"
)
NUMBERED = re.compile(r"[a-uw-z]?[ _-]?\d+", re.IGNORECASE)
SHARE = re.compile(r"(\d+) ?(?:%|percent|pct)?")

POSTURE_WORDS = {
    Role.AWAY: _words("leer weg abwesend vacio ausente vide vuoto assente vazio leeg"),
    Role.BAD: _words(
        "schlecht krumm falsch gebeugt schlechte krumme malo mala incorrecto incorrecta encorvado encorvada mauvais mauvaise"
        " courbe voute cattivo cattiva scorretto scorretta curvo curva ruim errado errada slecht fout abnormal 猫背 错误"
    ),
    Role.GOOD: _words(
        "gut gute gerade aufrecht richtig korrekt normal ok bueno buena correcto correcta recto recta erguido bon bonne droit"
        " droite buono buona corretto corretta dritto bom boa certo reto goed juist 正确 良い"
    ),
    Role.NEUTRAL: _words("sitzen sitzend stehen stehend sentado assis debout seduto"),
}
"""Words of classes in other languages than `class_roles` knows; the first role with a matching word wins."""

NEGATIONS = _words("not no non nicht")
