"""Fine-tuning: configuration, loop, checkpoints."""
