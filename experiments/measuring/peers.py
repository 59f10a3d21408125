"""Other people's programs on our instance: D-Wave's annealer, OpenJij, hopfieldnetwork; for
softmax retrieval PyTorch's attention and hopfield-layers, the authors' own (GitHub only).

The same couplings, start and temperature. D-Wave has heat bath ("Gibbs"); OpenJij's single-spin
flip is Metropolis, which accepts about twice as many flips. A call of D-Wave's sampler has a large
fixed cost, so its time is the difference of two numbers of sweeps. The asynchronous mode of
hopfieldnetwork at finite temperature raises under NumPy 2.4, so it takes part at T = 0. PySA,
another annealer, is not on the package index and not measured.
"""

from __future__ import annotations

import importlib.util
import itertools
import time

import numpy as np

from experiments.measuring import forms
from experiments.measuring.forms import WARM, Work, check_rate, float_couplings, rate
from experiments.measuring.protocol import Contestant, Running
from hopfield_sim import Hopfield

PACKAGES = {
    "dwave.samplers": "dwave-samplers",
    "openjij": "openjij",
    "hopfieldnetwork": "hopfieldnetwork",
}
FOR_RETRIEVAL = {"torch": "torch", "hflayers": "hopfield-layers"}
"""Peers that take part wherever they can be imported."""
TORCH, HOPFIELD_LAYERS = "torch attention", "hopfield-layers"
DWAVE, OPENJIJ, HOPFIELDNETWORK = "D-Wave Gibbs", "OpenJij", "hopfieldnetwork"
_FEW = 4  # sweeps of the shorter of two calls whose difference counts


def check_installed() -> None:
    """ModuleNotFoundError, naming what is missing and how to get it."""
    missing = []
    for module, package in PACKAGES.items():
        try:
            there = importlib.util.find_spec(module) is not None
        except ModuleNotFoundError:  # of the parent package
            there = False
        if not there:
            missing.append(package)
    if missing:
        raise ModuleNotFoundError(
            f"--peers needs {' and '.join(missing)}: pip install -e '.[peers]' brings the peers, "
            "or leave --peers out."
        )


def absent_for_retrieval() -> list[str]:
    """Those of `TORCH` and `HOPFIELD_LAYERS` that are not installed here."""
    there = [importlib.util.find_spec(module) is not None for module in FOR_RETRIEVAL]
    # hopfield-layers is made of torch
    names = {TORCH: there[0], HOPFIELD_LAYERS: all(there)}
    return [name for name, found in names.items() if not found]


def torch_attention(queries: np.ndarray, stored: np.ndarray, beta: float):
    """One step of softmax retrieval by torch's scaled_dot_product_attention, one thread."""
    import torch

    torch.set_num_threads(1)
    q, k = (torch.from_numpy(array)[None, None] for array in (queries, stored))
    attend = torch.nn.functional.scaled_dot_product_attention
    return lambda: attend(q, k, k, scale=beta).numpy()


def hopfield_layers(queries: np.ndarray, stored: np.ndarray, beta: float):
    """The same by the association of hopfield-layers, without projections and norms."""
    import torch
    from hflayers import Hopfield as Layer

    torch.set_num_threads(1)
    kinds = ("stored_pattern", "state_pattern", "pattern_projection")
    plain = {f"normalize_{kind}{more}": False for kind in kinds for more in ("", "_affine")}
    static = {f"{kind}_as_static": True for kind in kinds}
    layer = Layer(
        input_size=queries.shape[1], scaling=beta, disable_out_projection=True, **plain, **static
    ).eval()
    q, k = (torch.from_numpy(array)[None] for array in (queries, stored))

    def step() -> np.ndarray:
        with torch.no_grad():
            return layer((k, q, k)).numpy()

    return step


def dwave(work: Work, seconds: float) -> Contestant:
    """D-Wave's simulated annealing at one temperature, heat bath, double precision."""

    def setup() -> Running:
        import dimod
        from dwave.samplers import SimulatedAnnealingSampler

        n_neurons = work.n_neurons
        coupled = float_couplings(work.model)
        upper = np.triu_indices(n_neurons, 1)
        problem = dimod.BinaryQuadraticModel.from_numpy_vectors(
            np.zeros(n_neurons), (*upper, -coupled[upper]), 0.0, "SPIN"
        )
        del upper
        sampler = SimulatedAnnealingSampler()
        start = (work.spins(1), list(range(n_neurons)))
        last = [work.spins(1)[0]]

        def call(sweeps: int) -> float:
            begin = time.process_time()
            found = sampler.sample(
                problem,
                beta_schedule_type="custom",
                beta_schedule=[1 / work.temperature],
                num_sweeps_per_beta=sweeps,
                num_reads=1,
                seed=work.seed % 2**31,
                initial_states=start,
                proposal_acceptance_criteria="Gibbs",
            )
            spent = time.process_time() - begin
            last[0] = found.record.sample[0]
            return spent

        def advance(sweeps: int) -> float:
            short = call(_FEW)
            return call(_FEW + sweeps) - short

        call(WARM)
        check_rate(work, last[0], DWAVE)
        # what differs from call to call is part of the fixed cost: the sweeps must outweigh it
        long_enough = max(seconds, call(_FEW))
        return Running(
            advance, n_neurons, accepted=lambda: float(rate(work, last[0])[0]), seconds=long_enough
        )

    return Contestant(DWAVE, setup, "peer", 1, True)


def openjij(work: Work) -> Contestant:
    """OpenJij's dense single-spin flip (Metropolis) at one temperature."""

    def setup() -> Running:
        from openjij import cxxjij

        n_neurons = work.n_neurons
        # its dense graph wants one spin more, which carries the external field
        matrix = np.zeros((n_neurons + 1, n_neurons + 1))
        matrix[:n_neurons, :n_neurons] = -np.triu(float_couplings(work.model), 1)
        matrix[n_neurons, n_neurons] = 1
        graph = cxxjij.graph.Dense(n_neurons)
        graph.set_interaction_matrix(matrix)
        if not np.array_equal(
            graph.get_interactions()[:n_neurons, :n_neurons], -float_couplings(work.model)
        ):
            raise RuntimeError(f"{OPENJIJ} holds other couplings than it was given.")
        del matrix
        system = cxxjij.system.make_classical_ising(work.spins(1)[0].tolist(), graph)
        calls = [0]

        def advance(sweeps: int) -> None:
            calls[0] += 1
            cxxjij.algorithm.Algorithm_SingleSpinFlip_run(
                system, (work.seed + calls[0]) % 2**31, [(1 / work.temperature, sweeps)]
            )

        def accepted() -> float:
            spins = np.asarray(system.spin)[:n_neurons]
            gain = spins * work.model.field(spins)
            return float(np.minimum(1, np.exp(-2 * gain / work.temperature)).mean())

        advance(WARM)
        return Running(advance, n_neurons, accepted=accepted)

    return Contestant(OPENJIJ, setup, "peer", 1, True)


def hopfieldnetwork(model: Hopfield, starts: np.ndarray, to_the_end: bool) -> Contestant:
    """hopfieldnetwork at T = 0; one dot product a visit.

    starts: (trial, neuron); to_the_end: a step is a run to the fixed point from each of the next
    four of them, else a sweep from the first.
    """
    trials = 4 if to_the_end else 1

    def setup() -> Running:
        from hopfieldnetwork import HopfieldNetwork

        network = HopfieldNetwork(N=model.n_neurons)
        network.w = forms.float_couplings(model)
        network.set_initial_neurons_state(starts[0].astype(np.int8))  # a copy: it is changed
        queue = itertools.cycle(starts)

        def advance(steps: int) -> None:
            if not to_the_end:
                network.update_neurons(steps, "async")
                return
            for start in itertools.islice(queue, steps * trials):
                network.set_initial_neurons_state(start.astype(np.int8))
                network.update_neurons(0, "async", run_max=True)

        def check() -> None:
            if to_the_end and np.any(network.S * model.field(network.S) < 0):
                raise RuntimeError(f"{HOPFIELDNETWORK} did not end at a fixed point.")

        units = trials if to_the_end else model.n_neurons
        return Running(advance, units, check, seconds=0 if to_the_end else None)

    return Contestant(HOPFIELDNETWORK, setup, "peer", 1, drawn=not to_the_end)
