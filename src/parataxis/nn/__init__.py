"""What torch methods share: hypergraphs and their operators, and the one fitting loop.

Each module is imported by its own name; `hypergraph` needs no torch.
"""
