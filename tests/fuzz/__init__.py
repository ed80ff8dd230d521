"""Every parser against mutated inputs, each made of a seed alone."""
