"""The pictures of the report, as SVG in data URIs: confusion matrices, bars, learning curves."""

import base64
import io
from collections.abc import Sequence

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from posture_daemon.comparison.scores import Result
from posture_daemon.learning.evaluation import Evaluation

ACCENT, PLAIN, INK, FAINT = "#0f766e", "#94a3b8", "#1e293b", "#e2e8f0"
OURS = "replay"
MAX_NAMES = 12
"""Classes from which a matrix is drawn without names and numbers, which would not be legible."""

STYLE = {
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.fonttype": "path",
    "svg.hashsalt": "posture-daemon",  # the same numbers give the same file
}


def confusion_chart(evaluation: Evaluation) -> str:
    """Rows are true classes, shaded by the share of each row; the numbers are images."""
    names, matrix = evaluation.classes, evaluation.confusion
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.3, 3.1), layout="constrained")
        axes = figure.subplots()
        shares = [[count / max(1, sum(row)) for count in row] for row in matrix]
        axes.imshow(shares, cmap="GnBu", vmin=0, vmax=1.15)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.set_xlabel("called")
        axes.set_ylabel("truth")
        if len(names) > MAX_NAMES:
            axes.set_xticks([])
            axes.set_yticks([])
        else:
            axes.set_xticks(range(len(names)), [_short(name) for name in names], rotation=35, ha="right")
            axes.set_yticks(range(len(names)), [_short(name) for name in names])
            for i, row in enumerate(matrix):
                for j, count in enumerate(row):
                    colour = "white" if shares[i][j] > 0.6 else INK if count else "#cbd5e1"
                    axes.text(j, i, str(count), ha="center", va="center", color=colour)
        return _uri(figure)


def bar_chart(title: str, values: Sequence[tuple[str, float, str]], most: float | None = None) -> str:
    """One horizontal bar per strategy: `(name, value, text beside the bar)`; the axis ends at `most`, or where it must."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.6, 0.6 + 0.34 * len(values)), layout="constrained")
        axes = figure.subplots()
        names = [name for name, _, _ in values]
        colours = [ACCENT if name == OURS else PLAIN for name in names]
        bars = axes.barh(names, [value for _, value, _ in values], color=colours, height=0.62)
        axes.bar_label(bars, [text for _, _, text in values], padding=4)
        axes.invert_yaxis()
        axes.set_title(title, loc="left", fontweight="bold", fontsize=10)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.set_xticks([])
        axes.set_xlim(0, most or 1.3 * max(value for _, value, _ in values) or 1)  # room for the text
        return _uri(figure)


def curve_chart(results: Sequence[Result]) -> str:
    """Top-1 on validation after each epoch; a strategy without epochs is a dashed line."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 2.8), layout="constrained")
        axes = figure.subplots()
        colours = iter(("#6366f1", "#f59e0b", "#ec4899", "#3b82f6", "#78716c"))
        for result in results:
            if result.curve:
                epochs = range(1, len(result.curve) + 1)
                axes.plot(epochs, result.curve, marker="o", markersize=3.5, color=next(colours), label=result.name)
            elif "val" in result.scores and result.failure is None and result.name == OURS:
                axes.axhline(result.scores["val"].top1, color=ACCENT, linestyle="--", label=f"{OURS} (no epochs)")
        axes.set_xlabel("epoch")
        axes.set_ylabel("top-1 on validation")
        axes.set_ylim(0, 1.03)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y", color=FAINT)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        return _uri(figure)


def _short(name: str) -> str:
    """As it fits; a name with dollars is no formula."""
    return (name if len(name) <= 14 else f"{name[:13]}…").replace("$", r"\$")


def _uri(figure: Figure) -> str:
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None}, transparent=True)
    return "data:image/svg+xml;base64," + base64.b64encode(stream.getvalue()).decode()
