"""The methods: one folder a paper, found by its paper.toml. Methods never import one another."""
