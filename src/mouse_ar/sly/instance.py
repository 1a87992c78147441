"""Which Supervisely instance, and as whom: from the environment, as the SDK has it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mouse_ar.detection.wire import clean_token

if TYPE_CHECKING:
    from supervisely import Api

__all__ = ["open_api"]


def open_api() -> Api:
    """The API of the instance in ``SERVER_ADDRESS``, with the token in ``API_TOKEN``.

    Raises:
        ValueError: when one of them is missing or unusable, or the SDK is not installed.
    """
    missing = [name for name in ("SERVER_ADDRESS", "API_TOKEN") if not os.environ.get(name)]
    if missing:
        raise ValueError(
            f"Not set: {' and '.join(missing)}. They name the Supervisely instance, like "
            "https://app.supervisely.com, and your token from its account settings."
        )
    try:
        import pylibmagic  # noqa: F401  (brings the library that importing the SDK needs)
        import supervisely
    except ImportError as error:
        raise ValueError(
            f'The Supervisely SDK is missing ({error}): pip install "mouse-ar[supervisely]".'
        ) from None
    # The SDK shows a token in the error that no header can hold it.
    return supervisely.Api(os.environ["SERVER_ADDRESS"], clean_token(os.environ["API_TOKEN"]))
