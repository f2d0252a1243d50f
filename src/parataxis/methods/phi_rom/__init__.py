"""Reduced-order models that learn their dynamics from a differentiable solver, not from the order of its snapshots.

    from parataxis.methods.phi_rom import PhiROM, Snapshots, SolverRHS

    rom = PhiROM(latent_dim=16).fit(Snapshots.open("train.nc"), SolverRHS.from_rhs(f))  # f(u[channel, *grid], beta)
    z = rom.encode(values, coords)                                                      # a few sensors are enough
    rom.forecast(z, times, params, anywhere)                                            # any times, any points

A field is a decoded latent of 4 to 100 numbers, and a small network moves the latent as the solver moves the field.
Shuffling all snapshots over trajectories and times changes nothing in its training.

"Physics-informed Reduced Order Modeling of Time-dependent PDEs via Differentiable Solvers", NeurIPS 2025,
arXiv:2505.14595.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "rom": ["PhiROM"],
        "snapshots": ["Snapshots"],
        "solvers": ["SolverRHS", "check_solver"],
        "decoders": ["MFN", "SineMLP"],
        "dynamics": ["Dynamics"],
        "metrics": ["rnmse"],
    },
)
