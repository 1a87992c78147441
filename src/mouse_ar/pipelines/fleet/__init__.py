"""Several computers: one task for each video on a Ray cluster."""
