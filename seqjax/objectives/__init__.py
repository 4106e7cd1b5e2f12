"""Objectives: a model and a loss joined into the function that a training step differentiates."""
