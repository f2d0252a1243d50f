"""Two firms that need each other: what each invests, and that neither could do better by itself."""

from parataxis.methods.coopetition import Game

game = Game([[0, 0.86], [0.64, 0]])  # row depends on column: the first firm more on the second
together, alone = game.equilibrium(), Game([[0, 0], [0, 0]]).equilibrium()
for name, action, without in zip(game.names, together.actions, alone.actions, strict=True):
    print(f"{name} invests {action:.1f} of 100, {without:.1f} if neither depended on the other")
print(f"what a firm could gain by doing anything else: {together.certificate.gain:.6f}")
