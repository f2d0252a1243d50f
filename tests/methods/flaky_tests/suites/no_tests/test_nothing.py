# Planted: a suite without a single test.
# Right: refused, in one line.
