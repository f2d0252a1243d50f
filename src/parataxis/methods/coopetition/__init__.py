"""Coopetition: who depends on whom, what each will invest, who gains, and what moving first is worth.

    from parataxis.methods.coopetition import Dependencies, Game

    game = Game(Dependencies.read("model.json").matrix())
    game.equilibrium()                              # and game.equilibrium().certificate

From an i* model or a table of dependencies to a matrix, and from that to a game in which actors invest, create value
together and share it; each equilibrium comes with the best deviation that an independent search found.

Pant and Yu, "Computational Foundations for Strategic Coopetition: Formalizing Interdependence and Complementarity",
2025, arXiv:2510.18802.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "dependencies": ["Dependencies", "Dependency"],
        "interdependence": ["Interdependence"],
        "values": ["Custom", "Log", "Power"],
        "game": ["Game"],
        "certificate": ["Certificate"],
        "reading": ["read_matrix"],
        "scoring": ["ScoreSheet", "score_sheet"],
        "cases": ["case"],
    },
)
