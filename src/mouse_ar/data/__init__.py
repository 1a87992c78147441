"""Local projects in Supervisely video format, and clips as tensors."""
