"""How good are the answers of a classifier: one home for its metrics, tables and outcomes, network or baseline."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from l9.data.samples import Samples
from l9.errors import TrainingError
from l9.tasks.contract import Report

SMALLEST = float(np.finfo(np.float32).eps)  # probabilities below it count as it in `loss`: a forest may give exactly 0


def labelled(samples: Samples, classes: tuple[str, ...]) -> Samples:
    """`samples` if every one has a label of `classes`; TrainingError otherwise, or if there are none."""
    if samples.classes != classes:
        raise TrainingError(
            f"the samples have the classes {_short(samples.classes)}; the task was built for {_short(classes)}: leave `classes` out"
        )
    if len(samples) == 0:
        raise TrainingError("no samples to classify; check fold, classes and labels with l9 data check")
    missing = np.flatnonzero(samples.labels < 0)
    if len(missing):
        first = samples.objects[int(missing[0])]
        raise TrainingError(
            f"{len(missing):,} of {len(samples):,} samples have no label, such as {first}; give them one in the card's labels"
        )
    return samples


def classification_report(samples: Samples, probabilities: ndarray, extra: Sequence[dict[str, Any]] = ()) -> Report:
    """Metrics, tables and outcomes of one answer per sample.

    probabilities  float (n, k), each row sums to 1; the answer is its largest
    extra          plain values to add to each sample's outcome

    metrics   accuracy        share of samples answered rightly (instance accuracy)
              class_accuracy  mean over the classes that have samples of the share answered rightly
              loss            mean of -ln probability of the true class, nats
    tables    classes    class, count, accuracy (None without samples), most_confused_with and how often
              confusion  true, predicted, count, for every pair that occurs
    outcomes  object, label, predicted, probability of the predicted class
    """
    labels, predicted = samples.labels, probabilities.argmax(axis=1)
    numbers = np.arange(len(labels))
    counts = confusion_counts(labels, predicted, len(samples.classes))
    loss = float(-np.log(np.maximum(probabilities[numbers, labels].astype(np.float64), SMALLEST)).mean())
    outcomes = [
        {"object": name, "label": samples.classes[label], "predicted": samples.classes[answer], "probability": float(probability)}
        for name, label, answer, probability in zip(samples.objects, labels, predicted, probabilities[numbers, predicted], strict=True)
    ]
    if extra:
        outcomes = [{**outcome, **more} for outcome, more in zip(outcomes, extra, strict=True)]
    tables = {"classes": _class_rows(counts, samples.classes), "confusion": _pair_rows(counts, samples.classes)}
    return Report(accuracies(counts) | {"loss": loss}, tables, outcomes)


def confusion_counts(labels: ndarray, predicted: ndarray, classes: int) -> ndarray:
    """int64 (k, k): samples of each true class (row) answered as each class (column)."""
    return np.bincount(labels * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def accuracies(counts: ndarray) -> dict[str, float]:
    """`accuracy` over samples and `class_accuracy` over the classes that have any, from confusion counts (k, k)."""
    totals = counts.sum(axis=1)
    present = totals > 0
    return {
        "accuracy": float(np.trace(counts) / totals.sum()),
        "class_accuracy": float((counts.diagonal()[present] / totals[present]).mean()),
    }


def reported_counts(report: Report, classes: tuple[str, ...]) -> ndarray:
    """int64 (k, k): the confusion counts that a report's table holds."""
    number = {name: position for position, name in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), np.int64)
    for row in report.tables["confusion"]:
        counts[number[row["true"]], number[row["predicted"]]] = row["count"]
    return counts


def best_answers(probabilities: ndarray, classes: tuple[str, ...], count: int = 5) -> list[list[dict[str, Any]]]:
    """For each row of (n, k) probabilities its `count` best classes, best first, the earlier class where two are equal."""
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :count]
    return [
        [{"class": classes[number], "probability": float(row[number])} for number in best]
        for row, best in zip(probabilities, order, strict=True)
    ]


def _class_rows(counts: ndarray, classes: tuple[str, ...]) -> list[dict[str, Any]]:
    wrong = counts * (1 - np.eye(len(classes), dtype=np.int64))
    rows = []
    for number, name in enumerate(classes):
        total, worst = int(counts[number].sum()), int(wrong[number].argmax())
        times = int(wrong[number, worst])
        accuracy = int(counts[number, number]) / total if total else None
        rows.append(
            {"class": name, "count": total, "accuracy": accuracy, "most_confused_with": classes[worst] if times else "", "times": times}
        )
    return rows


def _pair_rows(counts: ndarray, classes: tuple[str, ...]) -> list[dict[str, Any]]:
    return [{"true": classes[row], "predicted": classes[column], "count": int(counts[row, column])} for row, column in np.argwhere(counts)]


def _short(names: tuple[str, ...]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")
