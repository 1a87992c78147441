"""Parts that the user interfaces of the apps are made of; each app only joins them up."""

import pylibmagic  # noqa: F401  (brings the library that importing the SDK needs)
