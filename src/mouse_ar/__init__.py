"""Mouse Action Recognition: grooming and twitch bouts from long videos of laboratory mice."""

__version__ = "0.1.0"
__all__ = ["__version__"]
