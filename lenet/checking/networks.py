"""A network looked at: each layer alone, at what it is given within the network, and all of it with its loss."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from lenet.arrays.backend import Array, Backend, BackendSettings
from lenet.arrays.memory import Workspace
from lenet.arrays.shortage import memory_for_steps
from lenet.checking.gradients import Agreement, Floats, Slopes, agreement
from lenet.checking.layers import INPUT, LayerFault, calling, check_layer, forward
from lenet.checking.rehearsal import rehearse
from lenet.checking.timing import Seconds, measure
from lenet.common.random import stream
from lenet.configuration.build import Plan
from lenet.data import Dataset, scaling
from lenet.data.loader import ImageTable
from lenet.network import LayerSummary, Network

BATCHES = (3, 1)
"""Images at which gradients are taken: layers may compute a single one in another way."""
NOISE = 0.1
"""Standard deviation of what is added to parameters, so that none is zero."""
PARAMETERS = "parameters"
"""What the gradient of all parameters of a network is called."""
DUST = 1e-3
"""Standard deviation of what is added to a layer's input, relative to the input's. Numbers that were equal, as of an
image's ground, are then at no kink, as between two maxima of a window. What was not negative stays so."""


@dataclass(frozen=True)
class Finding:
    """What was found of a layer, or of the whole network with its loss.

    `agreements` are those of gradients, by what they are of, the worst of all batches; `fault` says why there are none.
    `seconds` are those of an image, None where they were not measured, since some layer is at fault.
    """

    summary: LayerSummary
    agreements: Mapping[str, Agreement]
    fault: str | None
    seconds: Seconds | None


def check_network(plan: Plan, dataset: Dataset) -> list[Finding]:
    """Check each layer of a plan's network, in their order, and in the end the network as a whole.

    At first they are called as in a run, on the plan's own backend, on which time is measured too; gradients are taken
    of those that are not at fault there, in float64 on the CPU. Raises `UserError` where the layers do not fit the data
    or each other, or one raises as it is asked for its shapes, parameters or costs, and `OutOfMemory`.
    """
    backend = BackendSettings("numpy", "float64", 1).open()
    network = _network(plan, dataset, backend)
    generator = stream(plan.seed, "check")
    network.theta[: network.trained] += NOISE * generator.normal(size=network.trained)
    summaries = [*network.summaries, _whole(plan, network)]
    found: dict[str, dict[str, Agreement]] = {summary.name: {} for summary in summaries}
    own = plan.backend.open()
    with memory_for_steps(own, plan.trainer.sampler.batch):
        trained, sub_batch = _as_trained(plan, dataset, own)
        faults = rehearse(trained, sub_batch[0], generator)
    for count in BATCHES:
        vars(network.now).update(training=True, seed=plan.seed, batch=count)
        images, labels = _batch(plan, dataset, backend, count)
        images = _dusted(images, generator)
        for name, agreements in _check_layers(network, images, generator, faults):
            _keep_worst(found[name], agreements)
        if not faults:
            _keep_worst(found[summaries[-1].name], _check_whole(plan, network, images, labels, generator))
    found[summaries[-1].name] = _by_name(network, found[summaries[-1].name])
    with memory_for_steps(own, plan.trainer.sampler.batch):
        seconds = {} if faults else measure(trained, plan.loss, *sub_batch)
    return [Finding(each, found[each.name], faults.get(each.name), seconds.get(each.name)) for each in summaries]


def _network(plan: Plan, dataset: Dataset, backend: Backend) -> Network:
    """Return the plan's network on a backend, with its initial weights."""
    classes = len(dataset.classes)
    network = Network(plan.network.layers(classes), dataset.train_images.shape[1:], classes, backend)
    network.initialize(plan.network.initializer, stream(plan.seed, "init"))
    return network


def _batch(plan: Plan, dataset: Dataset, backend: Backend, count: int) -> tuple[Array, Array]:
    """Return the first training images as the network's input, and their labels."""
    images, labels = dataset.train_images, dataset.train_labels
    table = ImageTable(images[:count], labels[:count], *scaling(plan.data.scaling, images), backend)
    return table.batch(backend.array(np.arange(count) % len(table)), Workspace(backend))


def _dusted(x: Floats, generator: np.random.Generator) -> Floats:
    dust = DUST * (float(x.std()) or 1.0) * generator.normal(size=x.shape)
    dusted = np.array(x)  # lies in memory as `x` does
    dusted += np.abs(dust) if x.min() >= 0 else dust
    return dusted


def _check_layers(
    network: Network, x: Floats, generator: np.random.Generator, faults: dict[str, str]
) -> Iterator[tuple[str, dict[str, Agreement]]]:
    """Yield how the gradients of each layer agree that does what it has to; of others, put into `faults` what is wrong.

    The layer above one at fault is given random numbers.
    """
    parameters = network.views(network.theta)
    for layer, summary in zip(network.layers, network.summaries, strict=True):
        y = generator.normal(size=(len(x), *summary.shape))
        if layer.name not in faults:
            twin = copy.copy(layer)
            twin.needs_input_gradient = True
            specs = layer.parameter_specs()
            try:
                with calling(layer, "bind"):
                    twin.bind(
                        network.backend,
                        {name: parameters[f"{layer.name}/{name}"] for name in specs},
                        {name: spec.view(np.zeros(spec.size)) for name, spec in specs.items()},
                    )
                yield layer.name, check_layer(twin, x, summary.shape, generator)
                y = np.array(forward(twin, np.array(x), summary.shape))
            except LayerFault as fault:
                faults[layer.name] = str(fault)
        x = _dusted(y, generator)


def _check_whole(
    plan: Plan, network: Network, images: Floats, labels: Array, generator: np.random.Generator
) -> dict[str, Agreement]:
    """Return how the gradients of the mean loss agree, as training has them: layers may write over what is below them.

    Below the first parameters training computes none, so that of the images shows whether the layers there are right.
    Elements are looked at one by one, since along a direction of all of them too many kinks are passed.
    """
    plan.loss.bind(network.backend)
    to_images = network.replica(to_images=True)
    vars(to_images.now).update(vars(network.now))
    images = np.array(images)

    def loss(of: Network) -> float:
        return float(plan.loss.forward(of.forward(np.array(images)), labels).sum()) / len(images)

    def gradient(of: Network) -> Array | None:
        loss(of)
        return of.backward(plan.loss.backward(1 / len(images)))

    found: dict[str, Agreement] = {}
    if network.trained:
        theta = network.theta[: network.trained]
        slopes = Slopes(lambda: loss(network), theta)
        gradient(network)
        found[PARAMETERS] = agreement(slopes, np.array(network.gradient[: len(theta)]), generator, directions=0)
    slopes = Slopes(lambda: loss(to_images), images)
    found[INPUT] = agreement(slopes, np.array(gradient(to_images)), generator, directions=0)
    return found


def _by_name(network: Network, whole: dict[str, Agreement]) -> dict[str, Agreement]:
    """Return agreements of the network, that of all its parameters told of the one in which its place is."""
    if PARAMETERS not in whole:
        return whole
    found, numbers = whole[PARAMETERS], network.views(np.arange(network.trained))
    name, place = next((name, place) for name in numbers for place in np.argwhere(numbers[name] == found.place))
    return {name: replace(found, place=tuple(map(int, place))), INPUT: whole[INPUT]}


def _keep_worst(kept: dict[str, Agreement], more: Mapping[str, Agreement]) -> None:
    for name, found in more.items():
        if name not in kept or found.error > kept[name].error:
            kept[name] = found


def _as_trained(plan: Plan, dataset: Dataset, backend: Backend) -> tuple[Network, tuple[Array, Array]]:
    """Return the network on a backend, ready for a sub-batch of training, and such a one."""
    network = _network(plan, dataset, backend)
    batch = plan.trainer.sampler.batch
    count = min(batch, backend.sub_batch or batch)
    network.now.training, network.now.batch = True, count
    return network, _batch(plan, dataset, backend, count)


def _whole(plan: Plan, network: Network) -> LayerSummary:
    layers = network.summaries
    work = sum(each.multiply_accumulates for each in layers)
    told = [each.operations for each in layers if each.operations is not None]
    operations = sum(told) if len(told) == len(layers) else None
    return LayerSummary("", type(plan.loss).__name__, (network.classes,), network.trained, work, operations)
