"""Preprocess, infer and evaluate: core tied to video, detection and model."""
