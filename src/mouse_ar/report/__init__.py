"""Plots, tables and overlays for people."""
