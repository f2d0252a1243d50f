"""Ten runs of three tests, in file order and shuffled: which test depends on the order, which fails by chance?"""

from parataxis.methods.flaky_tests import Run, classify, runs_needed

names = ("test_price", "test_tax", "test_network")
in_order, shuffled = (0, 1, 2), (2, 1, 0)
runs = [Run(0, "same", index, in_order, ("..F" if index == 3 else "...")) for index in range(5)]
runs += [Run(0, "random", index, shuffled, "F..") for index in range(5)]  # an outcome a test, by its place in the file
for name, kind in zip(names, classify(runs, len(names)), strict=True):
    print(f"{name}: {kind.value}")
needed = runs_needed(p=0.2)
print(f"{needed.runs} clean runs in a row say with 95% that a test which failed in 1 of 5 is mended")
