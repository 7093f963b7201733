"""What `dataset doubts` says below its list: how many labels it doubts, and about how many it can say anything."""

from posture_daemon.learning.label_errors import LabelCheck

HARDLY = 0.1
"""Share of the labels that could be checked, below which they cannot be checked as a whole."""

REVIEW = "posture-daemon dataset doubts --review"


def sentences(check: LabelCheck) -> list[str]:
    """In plain words."""
    if not check.labels:
        return [
            "No label can be checked yet: label each class at two times at least, so that one can speak for the other."
        ]
    number = len(check.doubts)
    if number:
        labels = "1 label is" if number == 1 else f"{number} labels are"
        return [f"{labels} likelier wrong than right. Look at them one by one: {REVIEW}", _reach(check)]
    if check.checked < HARDLY * check.labels:
        return [_reach(check)]
    return ["No label is doubted: of those that could be checked, none is likelier wrong than right.", _reach(check)]


def _reach(check: LabelCheck) -> str:
    """About how many labels it could have said something."""
    if check.checked == check.labels:
        return f"All {check.labels} labels could be checked: a slip would have shown."
    if check.checked >= HARDLY * check.labels:
        return (
            f"{check.checked} of {check.labels} labels could be checked: a slip among them would have shown. About the others "
            "the model errs too often itself."
        )
    return (
        f"Your labels cannot be checked by this model yet: asked about times that it has not learned, it agrees with "
        f"{check.agreement:.0%} of them, too few to tell a slip of yours from an error of its own (a slip would have shown "
        f"in {check.checked} of {check.labels}). More labels, of more days, may change that."
    )
