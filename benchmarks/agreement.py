"""Whether all contenders compute the same, before they are timed."""

import numpy as np

from benchmarks.arena import Arena
from benchmarks.problem import Arrays, Problem

TOLERANCE = 1e-4
STEPS = 3


class DisagreementError(RuntimeError):
    """Two contenders do not compute the same; the message names them and what differs."""


def check_agreement(arena: Arena, problem: Problem, batch: int = 64) -> float:
    """Have every contender compute loss and gradients of a batch, and the weights some steps later.

    All are compared with the first contender's, as norms of differences relative to its own. Returns the largest
    found; raises `DisagreementError` where one is above `TOLERANCE`.
    """
    order = np.random.default_rng(1).permutation(len(problem.images))
    batches = [order[start : start + batch] for start in range(0, STEPS * batch, batch)]
    outcomes = {}
    for name, child in arena.children.items():
        loss, gradients = child.ask("gradient", batches[0])
        named = {"loss": np.array(loss)}
        named |= {f"gradient of {parameter}": array for parameter, array in gradients.items()}
        weights = child.ask("train_steps", batches)
        outcomes[name] = named | {f"{key} after {STEPS} steps": array for key, array in weights.items()}
    (first, expected), *others = outcomes.items()
    worst = 0.0
    for name, found in others:
        for what, error in relative_errors(found, expected).items():
            if not error <= TOLERANCE:
                raise DisagreementError(f"{what}: {name} and {first} differ by {error:.1e} of its norm")
            worst = max(worst, error)
    return worst


def relative_errors(found: Arrays, expected: Arrays) -> dict[str, float]:
    """Return, for each array, the norm of the difference over the norm of what was expected."""
    if found.keys() != expected.keys():
        raise DisagreementError(f"not the same arrays: {sorted(found.keys() ^ expected.keys())}")
    errors = {}
    for name, array in expected.items():
        if found[name].shape != array.shape:
            raise DisagreementError(f"{name}: shape {found[name].shape} instead of {array.shape}")
        difference = np.linalg.norm(np.ravel(found[name].astype(np.float64) - array))
        errors[name] = float(difference / max(float(np.linalg.norm(np.ravel(array))), 1e-30))
    return errors
