"""A run: its steps in order, its training, its judgement."""
