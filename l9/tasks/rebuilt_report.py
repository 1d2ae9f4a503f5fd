"""The report of what rebuilds pictures from codes, network or baseline: one home for its metrics and outcomes."""

from typing import Any

import numpy as np
from jaxtyping import Float, Float64
from numpy import ndarray
from torch import Tensor

from l9.data.samples import Samples
from l9.tasks.code_quality import judged_codes
from l9.tasks.contract import Report
from l9.tasks.image_code_pictures import Coding
from l9.tasks.image_codes import Rows, signal_to_noise, squared_errors


def rebuilt_report(
    samples: Samples,
    x_BCSS: Float[Tensor, "b c s s"],
    codes: Float64[ndarray, "b z"],
    rebuilt_BCSS: Float[Tensor, "b c s s"],
    bounds: Rows,
    known: Samples,
    coding: Coding,
) -> Report:
    """Errors, what else is known of each picture, and what the codes say of classes.

    x_BCSS   the samples' pictures, 0..1
    bounds   further numbers of each picture, or none at all; each is also a metric, its mean
    known    training samples, on whose codes the judges of codes are fitted; both metrics are left out where these or the tested ones
             have no labels
    metrics, outcomes  see RebuildImages.evaluate
    """
    errors = squared_errors(x_BCSS, rebuilt_BCSS)
    rows = [{"mse": error, **more} for error, more in zip(errors, bounds or [{} for _ in errors], strict=True)]
    metrics = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    metrics["psnr"] = signal_to_noise(metrics["mse"], x_BCSS[0].numel())
    classes = [samples.classes[label] if label >= 0 else "" for label in samples.labels]
    outcomes: list[dict[str, Any]] = [
        {"object": name, "label": label, **row} for name, label, row in zip(samples.objects, classes, rows, strict=True)
    ]
    learnt, tested = judgeable(known), np.flatnonzero(samples.labels >= 0)
    if learnt is not None and len(tested):
        found = judged_codes(coding.codes(learnt), learnt.labels, codes[tested], samples.labels[tested], len(learnt.classes))
        metrics |= found.metrics
        for number, answer in zip(tested, found.predicted, strict=True):
            outcomes[number]["predicted"] = learnt.classes[answer]
    return Report(metrics, outcomes=outcomes)


def judgeable(known: Samples) -> Samples | None:
    """Those with a label, or None where they are not of two classes at least."""
    labelled = known.subset(np.flatnonzero(known.labels >= 0))
    return labelled if len(np.unique(labelled.labels)) > 1 else None


def map_title(count: int, report: Report) -> str:
    """What stands above the map of codes."""
    probe = report.metrics.get("probe_accuracy")
    judged = "" if probe is None else f"; a linear classifier in all dimensions: {100 * probe:.0f} % right"
    return f"codes of {count:,} tested pictures{judged}"
