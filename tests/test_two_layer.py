"""The two-layer system: reference numbers, descent, derivatives, its limits, what it refuses."""

import numpy as np
import pytest

from hopfield_sim.models import lagrangians
from hopfield_sim.models.modern import LogSumExp
from hopfield_sim.models.two_layer import METHODS, TwoLayer
from tests import reference

MEMORIES = np.array([[1, 2, 0], [0, -1, 2], [-2, 1, 1], [1, 1, 1.0]]) / 2
START = np.array([0.5, 0.25, -0.5])
INPUT = np.array([0.1, 0, -0.1])
RTOL = 1e-10  # of every flow here, the default


def model(letter, **options):
    """The three models with the parameters of the reference numbers."""
    options = {"input": INPUT} | options
    if letter == "A":
        return TwoLayer.model_a(MEMORIES, sharpness=5.0, power=2, **options)
    if letter == "B":
        return TwoLayer.model_b(MEMORIES, beta=2.0, **options)
    return TwoLayer.model_c(MEMORIES, power=2, **options)


def random_states(count=5, seed=1):
    """Regular points: nothing at the kink of a rectified power."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, 3)), rng.normal(size=(count, 4))


@pytest.fixture(scope="module")
def flows():
    return {letter: model(letter).flow(START, times=np.linspace(0, 60, 2001)) for letter in "ABC"}


KINDS = {
    "E(t=0)": lambda flow: flow.energy[0],
    "|v| at the fixed point (t=60, tau_f=tau_h=1)": lambda flow: np.linalg.norm(flow.v[-1]),
    "E at the fixed point": lambda flow: flow.energy[-1],
}


PREDICTED = {
    f"KH-model{letter}: {kind}": (letter, number)
    for letter in "ABC"
    for kind, number in KINDS.items()
}


@pytest.mark.parametrize("row", reference.rows("modern", PREDICTED), ids=str)
def test_reference(row, flows, record_property):
    letter, number = PREDICTED[row.quantity]
    found = number(flows[letter])
    assert reference.difference(row, found, record_property) <= row.abs_tol


@pytest.mark.parametrize("tau_memories", [0.01, 1, 3])
@pytest.mark.parametrize("letter", "ABC")
def test_energy_never_rises_along_the_flow(letter, tau_memories):
    """Two states of a batch.

    An output may be wrong by rtol |state| in each of 7 components, hence E by the gradient times
    that: rises of 7 x 5 x 5 x 1e-10 are the solver's. (Rises of 1e-14 are found.)
    """
    batch = np.stack([START, [-1.0, 0.3, 2.0]])
    system = model(letter, tau_memories=tau_memories)
    found = system.flow(batch, times=np.linspace(0, 60, 301))
    assert found.v.dims == ("time", "state", "feature") and found.h.dims[-1] == "memory"
    assert np.abs(found.v).max() < 5 and np.abs(found.energy.diff("time")).max() > 1e-3
    assert found.energy.diff("time").max() < 7 * 25 * RTOL
    # a state's solution does not depend on its company
    alone = system.flow(batch[1], times=found.time)
    assert np.array_equal(alone.v, found.v[:, 1]) and np.array_equal(alone.h, found.h[:, 1])


@pytest.mark.parametrize("letter", "ABC")
def test_dissipation_is_the_derivative_of_the_energy(letter):
    """Central difference along the flow, of two steps of 1e-3 and 2e-3 extrapolated: 1e-9."""
    system = model(letter, tau_memories=0.3)
    v, h = random_states(1)
    s = 1e-3
    times = np.array([0, s, 2 * s, 3 * s, 4 * s])
    found = system.flow(v[0], h[0], times=times)
    energy = found.energy.values
    slopes = (energy[3] - energy[1]) / (2 * s), (energy[4] - energy[0]) / (4 * s)
    slope = (4 * slopes[0] - slopes[1]) / 3
    middle = system.dissipation(found.v[2], found.h[2])
    assert middle > 0.01
    # s^4 times the fifth derivative, and 1e-12 in E over s: below 1e-7 of the slope
    assert slope == pytest.approx(-middle, rel=1e-7)


@pytest.mark.parametrize("letter", "ABC")
def test_gradient_is_the_finite_difference(letter):
    """Central differences with step 1e-5: error 1e-10 of curvature, 1e-11 of rounding."""
    system = model(letter)
    v, h = random_states()
    along_v, along_h = system.gradient(v, h)
    s = 1e-5
    for i in range(3):
        e = s * np.eye(3)[i]
        slope = (system.energy(v + e, h) - system.energy(v - e, h)) / (2 * s)
        np.testing.assert_allclose(along_v[:, i], slope, atol=1e-8)
    for i in range(4):
        e = s * np.eye(4)[i]
        slope = (system.energy(v, h + e) - system.energy(v, h - e)) / (2 * s)
        np.testing.assert_allclose(along_h[:, i], slope, atol=1e-8)


EVERY = [
    lagrangians.Identity(),
    lagrangians.Tanh(5.0),
    lagrangians.Spherical(),
    lagrangians.RectifiedPower(2.5),
    lagrangians.Softmax(2.0),
]


@pytest.mark.parametrize("lagrangian", EVERY, ids=lambda one: type(one).__name__)
def test_activation_and_curvature_are_derivatives(lagrangian):
    """Central differences as above; the curvature is symmetric and has no negative eigenvalue."""
    x = random_states()[1]
    s = 1e-5
    for i in range(4):
        e = s * np.eye(4)[i]
        slope = (lagrangian.value(x + e) - lagrangian.value(x - e)) / (2 * s)
        np.testing.assert_allclose(lagrangian.activation(x)[:, i], slope, atol=1e-8)
        slope = (lagrangian.activation(x + e) - lagrangian.activation(x - e)) / (2 * s)
        np.testing.assert_allclose(lagrangian.curvature(x, np.eye(4)[i]), slope, atol=1e-8)
    table = lagrangian.curvature(x[0], np.eye(4))
    np.testing.assert_allclose(table, table.T, atol=1e-15)
    assert np.linalg.eigvalsh(table).min() > -1e-14


def test_large_states_do_not_overflow():
    x = np.array([800.0, -900.0])
    assert lagrangians.Tanh(5.0).value(x) == pytest.approx(1700 - 2 * np.log(2) / 5, rel=1e-14)
    assert lagrangians.Softmax(5.0).value(x) == 800


def test_model_b_slaved_is_attention():
    """E_eff is that of LogSumExp but for its constant, a step of tau_f is its update."""
    system = model("B", input=None, tau_features=0.37)
    attention = LogSumExp(MEMORIES, beta=2.0)
    v = random_states(20)[0]
    constant = np.log(4) / 2 + (MEMORIES**2).sum(1).max() / 2
    np.testing.assert_allclose(
        system.effective_energy(v) + constant, attention.energy(v), atol=1e-14
    )
    # sums of four terms in another order: some ulp
    np.testing.assert_allclose(system.slaved_step(v), attention.update(v), rtol=0, atol=1e-15)
    half = system.slaved_step(v, step=0.37 / 2)
    np.testing.assert_allclose(half, (v + attention.update(v)) / 2, atol=1e-15)


@pytest.mark.parametrize("letter", "ABC")
def test_slaved_memory_neurons(letter):
    """E at h = xi g(v) is E_eff, steps of tau_f never raise it, fast memory neurons follow it."""
    system = model(letter)
    v = random_states(50)[0]
    h = system.slaved(v)
    np.testing.assert_allclose(system.energy(v, h), system.effective_energy(v), atol=1e-13)
    energies = []
    for _ in range(30):
        energies.append(system.effective_energy(v))
        v = system.slaved_step(v)
    energies = np.array(energies)
    assert np.diff(energies, axis=0).max() < 1e-13  # rounding of E, which is below 100
    assert np.median(energies[0] - energies[-1]) > 0.1
    # tau_h = 1e-3: h lags behind by tau_h |dh/dt|, and so does E, to the square of it
    fast = model(letter, tau_memories=1e-3).flow(START, times=[0.0, 0.5, 1.0])
    lag = np.abs(fast.h[1:] - system.slaved(fast.v[1:].values)).max()
    assert 0 < lag < 0.02
    gap = fast.energy[1:] - system.effective_energy(fast.v[1:].values)
    assert np.abs(gap).max() < 0.02**2 * 10


def test_the_energy_of_model_c_does_not_see_the_radius():
    system = model("C", input=None)
    v, h = random_states()
    # of numbers below 30
    np.testing.assert_allclose(system.energy(3.7 * v, h), system.energy(v, h), atol=1e-13)
    np.testing.assert_allclose((system.gradient(v, h)[0] * v).sum(-1), 0, atol=1e-14)
    np.testing.assert_allclose(system.features.curvature(v, v), 0, atol=1e-15)
    # yet the radius moves, and dissipates nothing: v along the drive, h slaved
    settled = system.fixed_point(v[0])
    longer = 2 * settled.v.values
    dv, dh = system.velocity(longer, settled.h.values)
    assert np.linalg.norm(dv) > 0.5 and np.abs(dh).max() < 1e-7
    assert abs(system.dissipation(longer, settled.h.values)) < 1e-14
    # with an input the product I.g alone is new, which has no radius either
    both = model("C")
    np.testing.assert_allclose(both.energy(3.7 * v, h), both.energy(v, h), atol=1e-13)


def test_synchronous_steps_of_both_layers_may_cycle():
    """Why descent is claimed for the flow: v near one memory, h of another alternate for ever."""
    system = TwoLayer.model_b(2 * np.eye(3), beta=4.0)
    v, h = system.memories[0], system.slaved(system.memories[1])
    seen = []
    for _ in range(200):
        v, h = system.euler(v, h, step=1.0)
        seen.append(v)
    assert np.abs(seen[-1] - seen[-2]).max() > 1.9  # 2 apart, in each of two entries
    np.testing.assert_allclose(seen[-1], seen[-3], atol=1e-15)
    # the cycle is no rest: the flow from it goes down
    end = system.fixed_point(v, h)
    assert end.converged and end.energy < system.energy(v, h) - 0.1
    # short steps go down too: 0.05 tau
    energies = []
    for _ in range(200):
        energies.append(system.energy(v, h))
        v, h = system.euler(v, h, step=0.05)
    assert np.diff(energies).max() < 1e-14


@pytest.mark.parametrize("letter", "ABC")
def test_fixed_points(letter):
    """At tau_h = 3 they are those of tau_h = 1: the velocity vanishes, whatever the clock.

    The slowest mode here decays as exp(-0.1 t): states are within ten residuals of the point.
    """
    found = model(letter, tau_memories=3).fixed_point(np.stack([START, -START]))
    assert found.converged.all() and found.residual.max() <= 1.01e-8 and found.time.min() > 0
    dv, dh = model(letter).velocity(found.v, found.h)
    assert max(np.abs(dv).max(), np.abs(dh).max()) <= 1.01e-8
    again = model(letter).fixed_point(found.v, found.h, tolerance=2e-8)
    assert (again.time == 0).all() and np.array_equal(again.v, found.v)
    short = model(letter).fixed_point(START, longest=1.0)
    assert not short.converged and short.time == 1 and short.v.dims == ("feature",)
    one = model(letter).fixed_point(START)
    np.testing.assert_allclose(one.v, found.v[0], atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_solvers_agree(method):
    """Each with rtol 1e-8: the end of a stable flow is wrong by some hundred steps of that."""
    system = model("A", tau_memories=0.01)
    found = system.flow(START, times=[0.0, 3.0], method=method, rtol=1e-8)
    exact = system.flow(START, times=[0.0, 3.0])
    np.testing.assert_allclose(found.v, exact.v, atol=1e-6)


def test_jacobian_is_the_derivative_of_the_velocity():
    """Of the right side of the equations, which Radau and BDF would else guess."""
    for letter in "ABC":
        system = model(letter, tau_features=0.7, tau_memories=0.2)
        v, h = (each[0] for each in random_states())
        table = system._jacobian(v, h)
        both, s = np.concatenate([v, h]), 1e-6
        for i, e in enumerate(s * np.eye(7)):
            up, down = (
                np.concatenate(system.velocity((both + sign * e)[:3], (both + sign * e)[3:]))
                for sign in (1, -1)
            )
            np.testing.assert_allclose(table[:, i], (up - down) / (2 * s), atol=1e-7)


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (lambda: TwoLayer(np.empty((0, 3))), "at least one memory"),
        (lambda: TwoLayer(np.ones(3)), "array .memory, feature."),
        (lambda: TwoLayer(np.full((2, 2), np.nan)), "memories contain NaN"),
        (lambda: TwoLayer([["a", "b"]]), "memories must be an array of numbers"),
        (lambda: TwoLayer(MEMORIES, input=np.ones(4)), r"input has shape \(4,\)"),
        (lambda: TwoLayer(MEMORIES, input=[0, np.inf, 0]), "input contain NaN or infinity"),
        (lambda: TwoLayer(MEMORIES, tau_features=0), "tau_features=0"),
        (lambda: TwoLayer(MEMORIES, tau_memories=-1), "tau_memories=-1"),
        (lambda: TwoLayer(MEMORIES, tau_memories=None), "tau_memories=None"),
        (lambda: TwoLayer(MEMORIES, tau_memories=np.nan), "tau_memories=nan"),
        (lambda: TwoLayer.model_a(MEMORIES, sharpness=0), "sharpness=0"),
        (lambda: TwoLayer.model_a(MEMORIES, power=0.5), "power=0.5"),
        (lambda: TwoLayer.model_b(MEMORIES, beta=-1), "beta=-1"),
        (lambda: model("B").energy(np.ones(4), np.ones(4)), r"v has shape \(4,\)"),
        (lambda: model("B").energy(START, np.ones(3)), r"h has shape \(3,\)"),
        (lambda: model("B").energy(START * np.nan, np.ones(4)), "v contain NaN"),
        (lambda: model("B").slaved_step(START, step=0), "step=0"),
        (lambda: model("B").euler(START, np.ones(4), step=-1), "step=-1"),
        (lambda: model("B").flow(START, times=[0, 0]), "increasing"),
        (lambda: model("B").flow(START, times=[0, 1], method="RK45"), "LSODA, Radau, BDF"),
        (lambda: model("B").flow(np.ones((2, 2, 3)), times=[0, 1]), r"\(state, feature\)"),
        (lambda: model("B").flow([START], np.ones(4), times=[0, 1]), "as many states"),
        (lambda: model("B").fixed_point(START, tolerance=0), "tolerance=0"),
        (lambda: model("B").fixed_point(np.empty((0, 3))), "no state to start from"),
        (lambda: model("B").fixed_point(START, longest=np.nan), "longest=nan"),
    ],
)
def test_wrong_input_is_refused(made, sentence):
    with pytest.raises(ValueError, match=sentence):
        made()


@pytest.mark.filterwarnings("ignore")  # the solver's own, as it gives up
def test_states_that_run_away_are_refused():
    """g = v and f = h^2: E has no lower bound, and v diverges at a finite time."""
    system = TwoLayer(2 * np.eye(2), lagrangians.Identity(), lagrangians.RectifiedPower(2))
    with pytest.raises(RuntimeError, match="gave up at time"):
        system.flow([2.0, 2.0], times=[0, 50])


def test_a_lagrangian_of_the_user():
    """Model A with cubic instead of rectified memory neurons: any object with the three methods."""

    class Cubic:
        def value(self, x):
            return (x**4).sum(-1) / 4

        def activation(self, x):
            return x**3

        def curvature(self, x, direction):
            return 3 * x**2 * direction

    system = TwoLayer(MEMORIES, lagrangians.Tanh(2.0), Cubic())
    found = system.flow(START, times=np.linspace(0, 20, 101))
    assert found.energy.diff("time").max() < 7 * 25 * RTOL
    v = found.v.values
    on_site = (v * np.tanh(2 * v)).sum(-1) - lagrangians.Tanh(2.0).value(v)
    four_body = ((np.tanh(2 * v) @ MEMORIES.T) ** 4).sum(-1) / 4
    np.testing.assert_allclose(system.effective_energy(v), on_site - four_body, atol=1e-12)
