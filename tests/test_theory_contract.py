"""What every function of every theory has in common, found by walking the package: labels, source,
residual, arrays in as arrays out, and the refusal of each bad argument by its name."""

import functools
import importlib
import inspect

import numpy as np
import pytest
import xarray as xr

from hopfield_sim import theory
from hopfield_sim.theory import labels
from tests.test_labels import REFUSED

TOOLS = {"continuation", "conventions", "labels", "quadrature"}
# A point where most theories have something to say; where one does not, it has its own below.
EXAMPLE = {
    "alpha": 0.03,
    "reduced_load": 0.05,
    "temperature": 0.2,
    "interaction": 3,
    "quality": 0.8,
    "n_examples": 7,
    "dataset_entropy": 0.1,
    "dilution": 0.3,
    "n_patterns": 3,
    "n_neurons": 50,
    "dreaming_time": 1.0,
    "start_overlap": 0.8,
    "stability": 0.5,
    "bias": 0.2,
    "activity": 0.1,
    "threshold": 0.5,
    "sharpness": 1.0,
    "self_coupling": 0.0,
    "overlap": 0.9,
    "n_flipped": 1,
    "bit_error": 0.01,
    "dimension": 20,
    "log_n_patterns": 5.0,
    "inverse_temperature": 1.0,
    "self_overlap": 8.0,
    "largest_norm": 3.0,
    "separation": 9.0,
    "distance": 0.0,
    "radius": 3.0,
    "failure": 0.001,
    "entmax_order": 1.0,
    "cluster_overlap": 0.6,
    "norm_difference": 0.5,
    "n_inputs": 50,
    "n_active": 8,
    "n_cued": 4,
    "spurious": 1.0,
    "n_clusters": 8,
    "n_units": 64,
    "n_erased": 2,
    "coupling_noise": 2.0,
    "scaled_noise": 0.7,
    # not parameters of the table: never arrays
    "amplitudes": (0.5, 0.5, 0.5),
    "n_condensed": 3,
    "points": (0.0, 1.0, 2.2, 4.0),
    "patterns": ((0.0, 0.0), (1.0, 0.0), (0.0, 3.0)),
    "members": (0, 1),
    "n_steps": 2,
    "steps": 2,
    "x": 0.5,
}
OWN = {("gardner", "separability"): {"n_patterns": 60}}
# One number of patterns a call: the size of the sums depends on it.
SINGLE = {"multitasking": {"n_patterns"}}
# Searches of many solutions: one argument of them is enough here.
SEARCH = {("examples", "quality_needed"): {"alpha"}, ("examples", "examples_needed"): {"alpha"}}
# Plain functions of plain arrays, without labels.
PLAIN = {("exponential", "rate")}
SLOW = {"samples": 2000, "batches": 2}  # what keeps the sampled theory short here


def functions():
    for name in theory.__all__:
        if name in TOOLS:
            continue
        module = importlib.import_module(f"hopfield_sim.theory.{name}")
        public = getattr(module, "__all__", None) or [
            each
            for each, value in vars(module).items()
            if inspect.isfunction(value)
            and value.__module__ == module.__name__
            and not each.startswith("_")
        ]
        for each in public:
            if callable(getattr(module, each)) and (name, each) not in PLAIN:
                yield name, each


FUNCTIONS = list(functions())


def example(name, each):
    """The arguments that are needed, by name, and what keeps it short."""
    function = getattr(importlib.import_module(f"hopfield_sim.theory.{name}"), each)
    parameters = inspect.signature(function).parameters
    given = {
        p: (EXAMPLE | OWN.get((name, each), {}))[p]
        for p, about in parameters.items()
        if about.default is about.empty
    }
    return given | {p: value for p, value in SLOW.items() if p in parameters}


def called(name, each, **changed):
    function = getattr(importlib.import_module(f"hopfield_sim.theory.{name}"), each)
    return function(**(example(name, each) | changed))


@functools.cache
def at_example(name, each):
    """Computed once for the three tests that look at it."""
    return called(name, each)


def of_table(name, each):
    function = getattr(importlib.import_module(f"hopfield_sim.theory.{name}"), each)
    return [p for p in inspect.signature(function).parameters if p in labels.PARAMETERS]


ARGUMENTS = [(*function, p) for function in FUNCTIONS for p in of_table(*function)]
REFUSING = [argument for argument in ARGUMENTS if argument[-1] in REFUSED]


@pytest.mark.parametrize(("name", "each"), FUNCTIONS, ids=map(".".join, FUNCTIONS))
def test_labels_and_residual(name, each):
    found = at_example(name, each)
    if isinstance(found, xr.DataArray):
        assert found.attrs["long_name"] and found.attrs["units"]
        return
    assert isinstance(found, xr.Dataset)
    for attribute in ("title", "convention", "source"):
        assert found.attrs.get(attribute), attribute
    for variable in found.variables:
        assert found[variable].attrs.get("long_name"), variable
        assert found[variable].attrs.get("units"), variable
    if "residual" in found:
        assert not found.residual.max() > 1e-10


@pytest.mark.parametrize(("name", "each", "parameter"), ARGUMENTS, ids=map(".".join, ARGUMENTS))
def test_arrays_in_and_arrays_out(name, each, parameter):
    """A DataArray keeps its dimension, and a point does not depend on its neighbours."""
    if parameter in SINGLE.get(name, ()):
        pytest.skip(f"{name} takes one {parameter} a call")
    if parameter not in SEARCH.get((name, each), {parameter}):
        pytest.skip(f"{each} is a search that takes seconds: tested over {SEARCH[name, each]}")
    value = (EXAMPLE | OWN.get((name, each), {}))[parameter]
    if parameter in example(name, each):
        alone = at_example(name, each)
    else:  # it has a default, which may be another value
        alone = called(name, each, **{parameter: value})
    pair = called(name, each, **{parameter: xr.DataArray([value, value], dims="run")})
    assert "run" in pair.dims
    if isinstance(alone, xr.DataArray):
        alone, pair = alone.to_dataset(name="it"), pair.to_dataset(name="it")
    for variable in alone.data_vars:
        assert "run" in pair[variable].dims or alone[variable].size == 1, variable
        for place in (0, 1):
            got = pair[variable].isel(run=place) if "run" in pair[variable].dims else pair[variable]
            wanted = alone[variable].transpose(*got.dims)
            # Sums of a few thousand terms, rounded in another order; solvers stop at 1e-11.
            np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("name", "each", "parameter"), ARGUMENTS, ids=map(".".join, ARGUMENTS))
def test_no_points_in_no_points_out(name, each, parameter):
    """What a selection leaves may be nothing: then so is the result, of the same variables."""
    if parameter in SINGLE.get(name, ()):
        pytest.skip(f"{name} takes one {parameter} a call")
    found = called(name, each, **{parameter: xr.DataArray(np.empty(0), dims="run")})
    assert found.sizes["run"] == 0
    if isinstance(found, xr.Dataset):
        assert set(found.data_vars) == set(at_example(name, each).data_vars)


@pytest.mark.parametrize(("name", "each", "parameter"), REFUSING, ids=map(".".join, REFUSING))
def test_bad_arguments_are_refused_by_name(name, each, parameter):
    for value in REFUSED[parameter]:
        with pytest.raises(ValueError, match=rf"\b{parameter}\b"):
            called(name, each, **{parameter: value})
