"""Parameters by name and domain, grids, and the labels on what a theory returns."""

import numpy as np
import pytest
import xarray as xr

from hopfield_sim.theory import labels

REFUSED = {
    "alpha": (0, -0.1, np.nan, np.inf),
    "reduced_load": (0, -1),
    "temperature": (-1e-9, np.nan, np.inf),
    "interaction": (1, 0, 2.5, np.nan, -3),
    "quality": (0, 1.01, -0.5),
    "n_examples": (0, 1.5),
    "dilution": (-0.1, 1),
    "n_patterns": (0, 2.5),
    "n_neurons": (0,),
    "dreaming_time": (-1, np.nan),
    "start_overlap": (-1.1, 2),
    "bias": (-1, 1),
    "activity": (0, 1),
    "sharpness": (0,),
    "dataset_entropy": (-0.1,),
    "stability": (np.nan, np.inf),
    "threshold": (np.inf,),
    "self_coupling": (-0.1, np.inf),
    "overlap": (0, 1),
    "n_inputs": (0, 2.5),
    "n_active": (0,),
    "n_cued": (0,),
    "spurious": (0, -1),
    "n_clusters": (1,),
    "n_units": (1,),
    "n_erased": (0,),
    "n_flipped": (-1, 0.5),
    "bit_error": (0, 0.5),
    "dimension": (1,),
    "log_n_patterns": (-0.1, np.inf),
    "inverse_temperature": (0,),
    "self_overlap": (0,),
    "entmax_order": (0.9, np.inf, np.nan),
    "cluster_overlap": (-0.1, 1),
    "norm_difference": (np.nan, np.inf),
    "largest_norm": (0,),
    "separation": (np.nan,),
    "distance": (-1,),
    "radius": (0,),
    "failure": (0, 1.1),
    "coupling_noise": (-0.1, np.inf, np.nan),
    "scaled_noise": (-0.1,),
}
ALLOWED = {
    "entmax_order": 1,
    "cluster_overlap": 0,
    "alpha": 1e-300,
    "temperature": 0,
    "interaction": 2,
    "quality": 1,
    "n_examples": 1,
    "dilution": 0,
    "dreaming_time": np.inf,
    "start_overlap": -1,
    "stability": -3,
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n in REFUSED for v in REFUSED[n]])
def test_refused_by_name_of_the_argument(name, value):
    allowed = labels.PARAMETERS[name].allowed.split(" (")[0]
    for given in (value, [ALLOWED.get(name, 0.5), value], xr.DataArray(value)):
        with pytest.raises(ValueError, match=f"^{name} = .* not allowed; it must be") as refusal:
            labels.parameter(given, name)
        assert allowed in str(refusal.value)


@pytest.mark.parametrize(("name", "value"), ALLOWED.items())
def test_the_ends_of_a_domain(name, value):
    assert labels.parameter(value, name).values == value


def test_every_domain_is_tested():
    assert set(REFUSED) == set(labels.PARAMETERS)


def test_text_and_unnamed_axes_are_refused():
    with pytest.raises(ValueError, match="alpha = 'high' is not a number"):
        labels.parameter("high", "alpha")
    with pytest.raises(ValueError, match="2 dimensions without names"):
        labels.parameter([[0.1, 0.2]], "alpha")


def test_numbers_that_count_stay_whole():
    orders = labels.parameter([3.0, 4.0], "interaction")
    assert orders.dtype == int and orders.interaction.dtype == int


def test_numbers_that_count_beyond_the_integers_stay_right():
    many = labels.parameter([10, 10**22], "n_patterns")
    assert many.values.tolist() == [10, 1e22] and many.n_patterns.values.tolist() == [10, 1e22]


def test_a_grid_of_three_parameters():
    grid = labels.common_grid(
        {"alpha": "K/N^(P-1)"}, interaction=[3, 4], alpha=[0.1, 0.2, 0.3], temperature=0.5
    )
    found = labels.evaluated(
        grid,
        lambda P, alpha, T: {"m": P + alpha + T, "each": np.stack([alpha, T], axis=-1)},
        {"m": "overlap", "each": "two numbers"},
        "a test",
        extra_dims={"each": ("pattern",)},
        convention="none",
        source="here",
        branch="retrieval",
        coords={"pattern": ([1, 2], "number of the pattern")},
    )
    assert found.m.dims == ("interaction", "alpha")
    assert found.each.dims == ("interaction", "alpha", "pattern")
    assert found.m.sel(interaction=4, alpha=0.2) == 4.7
    assert found.alpha.attrs["long_name"] == "K/N^(P-1)" and found.temperature == 0.5
    assert found.attrs == {"title": "a test", "convention": "none", "source": "here"}
    assert found.branch == "retrieval" and found.pattern.attrs["long_name"]
    assert all(v.attrs["units"] == "1" for v in found.variables.values())


def test_data_arrays_are_paired_and_their_labels_checked():
    alpha = xr.DataArray([0.1, 0.2], dims="run", coords={"run": [7, 8]})
    temperature = xr.DataArray([0.3, 0.4], dims="run", coords={"run": [7, 8]})
    grid = labels.common_grid(alpha=alpha, temperature=temperature)
    flat, shape = labels.on_grid(grid)
    assert shape == (2,) and flat[1].tolist() == [0.3, 0.4]
    with pytest.raises(ValueError, match="alpha and temperature share a dimension"):
        labels.common_grid(alpha=alpha, temperature=temperature.assign_coords(run=[8, 9]))


def test_branches_side_by_side():
    grid = labels.common_grid(alpha=[0.1, 0.2])
    one, two = (
        labels.evaluated(grid, lambda a, k=k: {"m": k * a}, {"m": "overlap"}, "t", branch=name)
        for k, name in ((1, "upper"), (2, "lower"))
    )
    found = labels.branches([one, two], ["upper", "lower"])
    assert found.m.dims == ("branch", "alpha")
    assert found.m.sel(branch="lower").values.tolist() == [0.2, 0.4]
    assert found.attrs["title"] == "t"
