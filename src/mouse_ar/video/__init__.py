"""Reading, probing, cutting and drawing video."""
