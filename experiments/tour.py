"""The tour: a notebook as a percent script. Runs top to bottom in a few seconds."""

# %% [markdown]
# # hopfield-sim in ten minutes
# Store patterns, recall one from a damaged cue, simulate at finite temperature, compute what
# replica theory predicts for it, and compare. Energies and temperatures are in units of J.

# %% Patterns are plain arrays (pattern, neuron)
import tempfile

import numpy as np
import xarray as xr

from analysis import comparison
from hopfield_sim import (
    Glauber,
    Hopfield,
    LogSumExp,
    Schedule,
    Sweep,
    ZeroTemperature,
    images,
    little_energy,
    patterns,
    simulate,
    statistics,
    theory,
    updated,
)
from hopfield_sim.learning import hebb, projection

xi = patterns.random(n_patterns=20, n_neurons=500, seed=1)
cue = patterns.corrupt(xi[0], flip_fraction=0.2, seed=2)
print(f"the cue has overlap {cue @ xi[0] / 500:.2f} with the pattern")

# %% A model is an energy; temperature is not part of it
model = Hopfield(xi)
print(f"energy of the cue {model.energy(cue):.1f}, of the pattern {model.energy(xi[0]):.1f}")
flipped = cue.copy()
flipped[7] *= -1
cost = model.energy(flipped) - model.energy(cue)
assert np.isclose(cost, 2 * cue[7] * model.field(cue)[7])  # half the energy of a flip is s_i h_i

# %% A rule moves the spins
recalled = updated(model, ZeroTemperature(), cue, sweeps=10)
warm = updated(model, Glauber(temperature=0.3), cue, sweeps=10, seed=3)
print(f"recalled at T = 0: m = {recalled @ xi[0] / 500:.3f}; at T = 0.3: {warm @ xi[0] / 500:.3f}")

# %% The same network as a matrix J moves spin by spin alike
assert np.array_equal(warm, updated(hebb.coupled(xi), Glauber(0.3), cue, sweeps=10, seed=3))

# %% All neurons at once (Little): another dynamics with an energy of its own
little = updated(model, Glauber(0.3, order="parallel"), cue, sweeps=10, seed=3)
print(
    f"Little model: m = {little @ xi[0] / 500:.3f}, H_T = {little_energy(model, little, 0.3):.1f}"
)

# %% One run: replicas and samples, as labelled data
run = simulate(
    model, Glauber((0.1, 0.3, 0.5)), start=xi[0], schedule=Schedule(50, 100), n_replicas=4, seed=4
)
print(run[["overlap", "energy", "replica_overlap"]].mean(("replica", "sample")))

# %% Error bars know about autocorrelation
print(statistics.thermal(run.overlap))


# %% A sweep: a function on a grid, each realisation with patterns of its own
def cell(seed, alpha, temperature):
    xi = patterns.random(round(alpha * 400), 400, seed=seed)
    run = simulate(Hopfield(xi), Glauber(tuple(temperature)), xi[0], Schedule(30, 50), seed=seed)
    return run[["overlap"]].mean(("replica", "sample")).drop_vars("alpha")


sweep = Sweep(
    cell,
    {"alpha": np.array([0.05, 0.06]), "temperature": np.array([0.1, 0.2, 0.3])},
    lanes=("temperature",),
    realisations=4,
    seed=5,
)
with tempfile.TemporaryDirectory() as folder:  # in real life: a path of yours, to be resumed
    found = sweep.run(f"{folder}/tour.zarr", client="threads").load()

# %% Replica theory on the same coordinates, so that the difference needs no glue
predicted = theory.hopfield.retrieval(found.alpha, found.temperature)
print((found.overlap.mean("realisation") - predicted.m).round(4).values)
print(comparison.verdict(comparison.z_scores(found.overlap, predicted.m)))

# %% The lines of the phase diagram
print(theory.hopfield.lines(xr.DataArray([0.02, 0.05, 0.1], dims="alpha")).round(4).to_dataframe())

# %% Theory of other networks works the same way: P-body, one step of breaking, examples, ...
three = theory.dense.solutions(interaction=3, alpha=0.05, temperature=[0.1, 0.3, 0.5])
print(three.m.dropna("branch", how="all").round(4).to_pandas())
print(theory.dense.retrieval(3, 0.05, 0.3).attrs["convention"])
broken, symmetric = theory.hopfield_1rsb.capacity(), theory.hopfield.zero_temperature_capacity()
print(f"alpha_c = {float(broken.alpha_c):.6f}, replica symmetric {float(symmetric.alpha_c):.6f}")

# %% Correlated patterns defeat the Hebb rule, not the projection rule
alike = patterns.correlated(n_patterns=30, n_neurons=300, correlation=0.4, seed=6)
cues = patterns.corrupt(alike, flip_fraction=0.05, seed=7)
for name, network in (("Hebb", hebb.model(alike)), ("projection", projection.model(alike))):
    m = (updated(network, ZeroTemperature(), cues, sweeps=20) * alike).mean(axis=1)
    print(f"{name} rule: mean overlap of the recall {m.mean():.3f}")

# %% Continuous states: store, corrupt, retrieve an image, with the energy along the way
pictures = images.digits(threshold=None).patterns[:500]  # grey values from -1 to 1, 8 x 8 pixels
memory = LogSumExp(pictures, beta=8.0)  # a step of retrieval is softmax attention
recall = memory.retrieve(patterns.noisy(pictures[42], noise=0.4, seed=8))
print(f"energies {recall.energy.values.round(2)}, {int(recall.steps)} steps")
difference = np.abs(pictures - recall.state.values).max(axis=1)
print(f"retrieved: image {difference.argmin()}, wrong by {difference.min():.1e} at most")
