"""Where the mouse is: detectors, tracks and their cache."""
