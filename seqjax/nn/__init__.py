"""Layers, each written for one example."""
