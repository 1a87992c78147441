"""What a single bad video may fail with: to be told of that video, not to end a run over many."""

from __future__ import annotations

import av
import cv2

from mouse_ar.video._container import VideoError

__all__ = ["VIDEO_FAILURES"]

# OpenCV's and FFmpeg's own errors derive from neither OSError nor ValueError throughout.
VIDEO_FAILURES: tuple[type[Exception], ...] = (
    VideoError,
    OSError,
    ValueError,
    av.FFmpegError,
    cv2.error,
)
