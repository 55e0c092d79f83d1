"""What was found of a network's layers, as a table of 80 columns or as data, and what is wrong as sentences."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from lenet.checking.gradients import Agreement
from lenet.checking.layers import INPUT
from lenet.checking.networks import Finding
from lenet.common.names import shortened_or_cut
from lenet.common.tables import COLUMNS, Format, display_width, to_data, to_table

Row = dict[str, Any]
SHORTEST = 8
"""Characters of a layer's name in a table, at least."""
RIGHT = ("params", "FLOP", "forward\nµs", "backward\nµs", "error")
NETWORK = "network"
AGREES, WRONG = "right", "WRONG"
"""Verdicts on gradients."""
EXPLANATION = """\
FLOP: floating-point operations of an image's forward pass in training: one for
an addition, product, quotient, comparison, maximum, root, exp or tanh, two for
a multiply-accumulate (–: a layer does not tell; ≥: at least, without those).
Time: that of an image in a sub-batch, on one thread. Error: relative to the
gradient's largest element.
"""


def rows_of(findings: Sequence[Finding], tolerance: float) -> list[Row]:
    """Return a row for each layer, and a last one of the whole network, which is right only if all layers are.

    Floating-point operations are counted as `Layer.operations` says, and None where a layer does not tell; the
    network's are their sum, which `flop_complete` says to be of all layers. Times are of one image, in microseconds,
    the network's their sum.
    """
    rows: list[Row] = []
    for finding in findings:
        layer, agreements, seconds = finding.summary, finding.agreements, finding.seconds
        parameters = [each.error for name, each in agreements.items() if name != INPUT]
        rows.append(
            {
                "layer": layer.name or NETWORK,
                "kind": layer.kind,
                "output": "×".join(map(str, layer.shape)),
                "parameters": layer.parameters,
                "flop": layer.operations,
                "flop_complete": layer.operations is not None,
                "forward_us": _microseconds(seconds.forward if seconds else None),
                "backward_us": _microseconds(seconds.backward if seconds else None),
                "input_error": agreements[INPUT].error if INPUT in agreements else None,
                "parameter_error": max(parameters, default=None),
                "verdict": _verdict(finding, tolerance),
                "problem": " ".join(_problems(finding, tolerance)) or None,
            }
        )
    wrong = [row["layer"] for row in rows[:-1] if row["verdict"] == WRONG]
    if wrong and rows[-1]["verdict"] == AGREES:
        # Of a network's gradients only some elements are looked at, and a layer's fault may be in others.
        rows[-1] |= {"verdict": WRONG, "problem": f"wrong in it: {', '.join(wrong)}."}
    rows[-1]["flop"] = sum(row["flop"] or 0 for row in rows[:-1])
    for key in ("forward_us", "backward_us"):
        times = [row[key] for row in rows if row[key] is not None]
        rows[-1][key] = round(sum(times), 3) if times else None
    return rows


def render(rows: Sequence[Row], form: Format) -> str:
    """Return the rows as text that ends in a line's end."""
    if form == "json" or form == "csv":
        return to_data(rows, form)
    names = [row["layer"] for row in rows]
    right = [_heading(name, form) for name in RIGHT]
    table = to_table([_shown(row, row["layer"], form) for row in rows], form, right)
    over = display_width(table) - COLUMNS
    if form == "table" and over > 0:
        told = shortened_or_cut(names, max(SHORTEST, max(map(len, names)) - over))
        table = to_table([_shown(row, told[row["layer"]], form) for row in rows], form, right)
    return f"{table}\n{EXPLANATION}"


def problems(findings: Sequence[Finding], tolerance: float) -> list[str]:
    """Return what is wrong, each in a sentence; nothing if all is right.

    What is wrong of the network as a whole is told where no layer is, since it follows from what is wrong of a layer.
    """
    layers = [sentence for finding in findings if finding.summary.name for sentence in _problems(finding, tolerance)]
    return layers or list(_problems(findings[-1], tolerance))


def _verdict(finding: Finding, tolerance: float) -> str:
    if finding.fault:
        return "faulty"
    if not finding.agreements:
        return ""  # the network as a whole, where a layer is at fault
    return AGREES if all(_agrees(each, tolerance) for each in finding.agreements.values()) else WRONG


def _problems(finding: Finding, tolerance: float) -> Iterator[str]:
    if finding.fault:
        yield finding.fault
    for name, found in finding.agreements.items():
        if not _agrees(found, tolerance):
            what = f"layer `{finding.summary.name}` ({finding.summary.kind})" if finding.summary.name else NETWORK
            of = f"its {name}" if name == INPUT else f"`{name}`"
            yield (
                f"{what}: the gradient of {of} is wrong: at {found.place} backward says {found.given:.6g}, and finite "
                f"differences {found.found:.6g} (relative error {found.error:.1e})."
            )


def _agrees(found: Agreement, tolerance: float) -> bool:
    return found.error <= tolerance


def _microseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1e6, 3)


def _heading(name: str, form: Format) -> str:
    return name if form == "table" else name.replace("\n", " ")


def _shown(row: Row, name: str, form: Format) -> dict[str, str]:
    errors = [row[key] for key in ("input_error", "parameter_error") if row[key] is not None]
    values = {
        "layer": name,
        "output": row["output"],
        "params": f"{row['parameters']:,}",
        "FLOP": "–" if row["flop"] is None else f"{'' if row['flop_complete'] else '≥'}{_counted(row['flop'])}",
        "forward\nµs": _short(row["forward_us"]),
        "backward\nµs": _short(row["backward_us"]),
        "error": f"{max(errors):.1e}" if errors else "–",
        "verdict": row["verdict"],
    }
    return {_heading(name, form): text for name, text in values.items()}


def _counted(operations: int) -> str:
    """Return a number with three digits and a unit."""
    for size, unit in ((10**9, " G"), (10**6, " M"), (10**3, " k")):
        if operations >= 0.9995 * size:
            return f"{operations / size:.3g}{unit}"
    return str(operations)


def _short(value: float | None) -> str:
    """Return a number with three digits, or a dash."""
    return "–" if value is None or math.isnan(value) else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"
