"""Pure numerics: domain types, planning, decoding and metrics. No torch, no I/O."""
