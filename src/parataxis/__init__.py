"""Does the order matter, and what depends on what? Measure it, remove it, choose it, or model it."""

__version__ = "0.1.0"
