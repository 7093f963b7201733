"""What a lesson says when it is over: first what it cannot see, then the exam by pose, and no praise that is not earned."""

from collections.abc import Iterator, Mapping, Sequence

from posture_daemon.domain import Outcome, Role, TrainingRun
from posture_daemon.labelling.guided_capture_plan import MIN_FRAMES
from posture_daemon.labelling.guided_capture_state import GuidedCaptureState, PoseResult

ROLE_WORDS = {Role.GOOD: "good", Role.BAD: "bad", Role.AWAY: "an empty chair"}


def closing_words(state: GuidedCaptureState) -> Iterator[str]:
    """The final report, one sentence per item."""
    if state.problem:
        yield state.problem
    yield from (_unseen(one) for one in sorted(state.exam, key=lambda one: one.right / one.of) if not one.seen)
    if state.exam:
        yield _exam(state.exam)
    if state.run is not None:
        yield from _ending(state.run, state.exam)
    yield from _live(state)
    yield from _kept(state)


def again_question(names: Sequence[str]) -> str:
    """The offer to show these classes once more."""
    return f"Show {_listed(names)} once more? It is asked for twice, and then learned"


def counted(frames: Mapping[str, int]) -> str:
    """Frames by class."""
    return ", ".join(f"{name} {count}" for name, count in frames.items())


def live_words(state: GuidedCaptureState) -> str:
    """What the new model sees now, in the words of the role of the class that it names."""
    if state.says is None:
        return ""
    name, probability = state.says
    roles = {ask.name: ask.role for ask in state.classes}
    return f"I see: {ROLE_WORDS.get(roles.get(name, Role.NEUTRAL), name)} ({probability:.0%})"


def _unseen(one: PoseResult) -> str:
    verb = "cannot see" if one.right == 0 else "hardly sees"
    instead = "" if one.instead is None else f" and says '{one.instead}' instead"
    return f"It {verb} '{one.name}' yet: in the exam it is right on {one.right} of {one.of}{instead}."


def _exam(exam: Sequence[PoseResult]) -> str:
    right, of = sum(one.right for one in exam), sum(one.of for one in exam)
    poses = ", ".join(f"{one.name} {one.right} of {one.of}" for one in exam)
    return f"Its exam, the last round, which it did not learn from: {right} of {of} right ({right / of:.0%}): {poses}."


def _ending(run: TrainingRun, exam: Sequence[PoseResult]) -> Iterator[str]:
    unseen = [one.name for one in exam if not one.seen]
    reason = run.reason.rstrip(".")
    if run.outcome is Outcome.PROMOTED and not unseen:
        yield f"Model {run.challenger_id} is yours, and champion from now on."
    elif run.outcome is Outcome.PROMOTED:
        yield f"Model {run.challenger_id} answers from now on: it is better than model {run.incumbent_id}, but not done."
    elif run.outcome is Outcome.KEPT:
        yield f"Model {run.incumbent_id} goes on answering; what was learned just now does not replace it: {reason}."
        if not unseen and any(one.right < one.of for one in exam):
            yield "What would help: another lesson at another hour or day, or answers to what the daemon asks."
    elif run.outcome is Outcome.DEFERRED:
        yield f"No training now: {reason}. The pictures are kept, and a later training learns from them."
    else:
        yield f"The training failed: {reason}. The pictures are kept, and the next training learns from them."
    if unseen:
        yield f"What would help: show {_listed(unseen)} once more, and see to it that the camera sees what differs."


def _live(state: GuidedCaptureState) -> Iterator[str]:
    if state.lived:
        seen = ", ".join(f"{one.name} in {one.right} of {one.of} pictures" for one in state.lived)
        yield f"Live it saw {seen}."
    elif state.says is not None:
        yield f"What it says now: {state.says[0]}, {state.says[1]:.0%} sure."


def _kept(state: GuidedCaptureState) -> Iterator[str]:
    total = sum(state.frames.values())
    if state.dropped:
        yield f"The pictures of {_listed(state.dropped)} were dropped, as you asked."
    if not total:
        yield "Nothing was kept."
        return
    kept = {name: count for name, count in state.frames.items() if name not in state.dropped}
    words = "1 picture is kept with its label" if total == 1 else f"{total} pictures are kept with their labels"
    yield f"{words}: {counted(kept)}."
    few = [name for name, count in state.frames.items() if count < MIN_FRAMES and name not in state.dropped]
    if few and state.run is not None:
        yield f"Of {', '.join(few)} there is hardly a picture: does the camera hang?"
    if state.run is None:
        yield "Nothing was trained. The next training learns from these pictures: posture-daemon train --force."


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
