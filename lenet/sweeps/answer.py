"""What a sweep ends in: tables, figures, the best run and the command that runs it again, shown and recorded."""

import json
import logging
import math
import shlex
from collections.abc import Iterator, Mapping, Sequence

from lenet.common.tables import cut
from lenet.configuration.config import CommandLine
from lenet.reports import summary
from lenet.tracking.address import mask
from lenet.tracking.failures import StoreAway, TrackingError
from lenet.tracking.record import RunRecord
from lenet.tracking.run import Run
from lenet.tracking.store import Store
from lenet.tracking.tags import BEST, BEST_COMMAND, ERROR, REGISTERED

log = logging.getLogger(__name__)

CURVES = 30
"""The most curves that one figure can show; of more runs, the best."""


def sum_up(
    store: Store, parent: Run, children: Sequence[RunRecord], jobs: int, command: CommandLine
) -> RunRecord | None:
    """Record the sweep's tables, figures and best run on the parent, and show them; return the best, if any."""
    keys = command.swept
    rows = summary.rows_of(children)
    groups = summary.groups_of(rows, keys)
    parent.log_text(summary.to_csv(rows), "sweep/results.csv")
    parent.log_text(summary.to_markdown(rows, groups, keys), "sweep/results.md")
    log.info("\n%s\n", summary.to_table(rows))
    if groups:
        log.info("mean ± standard deviation over the seeds:\n\n%s\n", summary.to_group_table(groups, keys))
    for child in children:
        if child.status != "FINISHED":
            log.error("%s %s: %s", cut(child.name, 40), child.status, child.tags.get(ERROR, "no reason was recorded"))
    if len(children) < jobs:
        log.error("%d of %d jobs left no run", jobs - len(children), jobs)
    if not rows:
        return None
    best = None
    if not math.isnan(rows[0][summary.RANKING]):
        best = next(child for child in children if child.id == rows[0]["run_id"])
        _record_best(parent, best, command)
    for name, figure in _figures(store, rows, keys):
        parent.log_bytes(figure, f"figures/{name}.png")
    return best


def register_best(store: Store, parent: Run, best: RunRecord | None, name: str) -> bool:
    """Register the best run's model, and say how it is used; return whether it could be, else say why not."""
    if best is None:
        log.error("no model is registered as %s: there is no best run", name)
        return False
    try:
        version = store.register(best, name)
    except StoreAway:
        raise
    except TrackingError as error:
        log.error("%s could not be registered as %s: %s", cut(best.name, 40), name, error)
        return False
    parent.set_tag(REGISTERED, f"{name}/{version}")
    log.info("%s is registered as version %s of %s; to serve it:", cut(best.name, 30), version, name)
    uri = f"MLFLOW_TRACKING_URI={shlex.quote(mask(store.uri))}"
    model = shlex.quote(f"models:/{name}/{version}")
    log.info("%s \\\n  mlflow models serve -m %s --env-manager local", uri, model)
    return True


def _figures(store: Store, rows: Sequence[summary.Row], keys: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield a sweep's figures as PNG, by name: the metric by what was swept, all curves, and a map of two keys."""
    from lenet import plots  # Matplotlib takes half a second to import

    settings = [key for key in keys if key != summary.SEED]
    key = next(iter(settings), summary.SEED if keys else "name")
    yield "sweep", plots.to_png(plots.sweep(rows, key, summary.RANKING))
    for metric in ("val/accuracy", "val/loss"):
        histories = {row["name"]: store.history(row["run_id"], metric) for row in rows[:CURVES]}
        figure = plots.training_curves(histories, metric, left_out=len(rows) - len(histories))
        yield f"curves_{metric.replace('/', '_')}", plots.to_png(figure)
    if len(settings) == 2:
        yield "heat_map", plots.to_png(plots.heat_map(rows, settings[0], settings[1], summary.RANKING))


def _record_best(parent: Run, best: RunRecord, command: CommandLine) -> None:
    """Record on the parent which child is the best, what it is and reached, and the command that runs it again."""
    again = rerun(command, summary.swept_of(best))
    parent.set_tag(BEST, best.id)
    parent.set_tag(BEST_COMMAND, again)
    parent.log_metrics({metric: best.metrics[metric] for metric in summary.METRICS if metric in best.metrics}, step=0)
    told = {"run_id": best.id, "name": best.name, "command": again, "params": best.params, "metrics": best.metrics}
    parent.log_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", "sweep/best.json")
    log.info("best by validation accuracy: %s (%s); again:\n%s", best.name, best.id, again)


def rerun(command: CommandLine, swept: Mapping[str, str]) -> str:
    """Return the command that runs one job of a sweep by itself."""
    options = [option for option in command.options if option not in ("-m", "--multirun")]
    kept = [text for text in command.overrides if text.partition("=")[0].lstrip("+") not in swept]
    kept = [text for text in kept if not text.startswith(("hydra.", "hydra/", "sweep."))]
    prefix = {
        text.partition("=")[0].lstrip("+"): text[: len(text) - len(text.lstrip("+"))] for text in command.overrides
    }
    values = [f"{prefix.get(key, '')}{key}={value}" for key, value in swept.items()]
    single = [] if len(options) < len(command.options) else ["hydra.mode=RUN"]  # without -m, a file makes it a sweep
    return shlex.join(["python", "-m", "lenet.run", *options, *kept, *values, *single])


def resumption(command: CommandLine, parent_id: str) -> str:
    """Return the command that continues a sweep."""
    kept = [text for text in command.overrides if not text.startswith("sweep.") or text.startswith("sweep.register=")]
    return shlex.join(["python", "-m", "lenet.run", *command.options, *kept, f"sweep.resume={parent_id}"])
