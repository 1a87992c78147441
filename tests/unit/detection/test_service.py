"""Our own service, with our client, the SDK's clients, and bad input."""

from __future__ import annotations

import io
import itertools
import json
import re
import socket
import threading
import time
import warnings
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from types import ModuleType
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import UploadFile
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from PIL import Image, ImageFile

from doubles.bright import BrightDetector, mouse_frames
from doubles.servers import FaultyProxy, serving
from mouse_ar.detection import service
from mouse_ar.detection.background import BackgroundSubtraction
from mouse_ar.detection.errors import (
    DetectorRefusedError,
    DetectorSetupError,
    DetectorUnavailableError,
)
from mouse_ar.detection.protocol import Detection
from mouse_ar.detection.remote import RemoteDetector
from mouse_ar.detection.service import create_app
from mouse_ar.detection.uploads import check_images
from mouse_ar.detection.wire import encode_frame

DETECTOR = BrightDetector(shift=0.3)
FRAMES = mouse_frames(5, seed=0)
PNG = encode_frame(FRAMES[0], image_format="png")

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(create_app(DETECTOR, max_image_pixels=10**6, max_request_bytes=2**20)) as url:
        yield url


@pytest.fixture
def client() -> TestClient:
    return TestClient(create_app(DETECTOR, max_image_pixels=10**6, max_images=4))


@pytest.fixture(autouse=True)
def no_truncated_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK, which other tests import, lets Pillow fill them up with grey."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", False)


def post(client: TestClient, *images: bytes, **fields: str) -> httpx.Response:
    files = [("files", (f"{n}.png", data, "image/png")) for n, data in enumerate(images)]
    return client.post("/inference_batch", files=files, data=fields)


def test_png_gives_the_very_numbers_of_the_process_itself(url: str) -> None:
    with RemoteDetector(url, image_format="png", batch_size=2) as detector:
        assert detector.detect(FRAMES) == DETECTOR.detect(FRAMES)
        assert detector.fingerprint == RemoteDetector(url, image_format="png").fingerprint


def test_jpeg_moves_no_box_by_much(url: str) -> None:
    with RemoteDetector(url) as detector:
        pairs = list(zip(detector.detect(FRAMES), DETECTOR.detect(FRAMES)))
    assert min(a[0].box.iou(b[0].box) for a, b in pairs) >= 0.98


def test_clients_at_once_get_their_own_boxes(url: str) -> None:
    def work(seed: int) -> bool:
        frames = mouse_frames(6, seed=seed)
        with RemoteDetector(url, image_format="png", batch_size=3) as detector:
            return detector.detect(frames) == DETECTOR.detect(frames)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(16)))


def test_one_client_may_serve_several_threads(url: str) -> None:
    with (
        RemoteDetector(url, image_format="png", batch_size=3) as detector,
        ThreadPoolExecutor(4) as pool,
    ):
        many = [mouse_frames(6, seed=seed) for seed in range(8)]
        assert list(pool.map(detector.detect, many)) == [DETECTOR.detect(f) for f in many]


def test_the_sdks_own_clients_can_speak_to_it(
    url: str, sly: ModuleType, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from supervisely.nn.model.model_api import ModelAPI
    from supervisely.nn.utils import DeployInfo

    model = ModelAPI(url=url)
    assert model.is_deployed()
    assert DeployInfo(**model.get_info()).checkpoint_name == DETECTOR.fingerprint
    assert model.get_classes() == ["mouse"]
    monkeypatch.setenv("SUPERVISELY_SKIP_HTTPS_USER_HELPER_CHECK", "true")
    api = sly.Api("http://127.0.0.1:9", "x" * 128)
    session = sly.nn.inference.Session(api, session_url=url)
    assert session.get_session_info()["task type"] == "object detection"
    paths = []
    for number, frame in enumerate(FRAMES):
        Image.fromarray(frame).save(tmp_path / f"{number}.png")
        paths.append(str(tmp_path / f"{number}.png"))
    boxes = [
        (a.labels[0].geometry.left, a.labels[0].geometry.bottom)
        for a in session.inference_image_paths(paths)
    ]
    found = [seen[0].box for seen in BrightDetector().detect(FRAMES)]
    assert boxes == [(int(box.left), int(box.bottom) - 1) for box in found]


def test_token() -> None:
    with pytest.raises(DetectorSetupError, match="token is empty"):
        create_app(DETECTOR, token="")
    with pytest.raises(ValueError, match="plain ASCII"):
        RemoteDetector("http://gpu", token="sécret")
    app = create_app(DETECTOR, token="secret")
    with serving(app) as url:
        for wrong in (None, "", "secret2"):
            with pytest.raises(
                DetectorUnavailableError, match="does not accept the token"
            ) as caught:
                RemoteDetector(url, token=wrong)
            assert "secret" not in str(caught.value)
        with RemoteDetector(url, token="secret", image_format="png") as detector:
            assert detector.detect(FRAMES) == DETECTOR.detect(FRAMES)
        assert httpx.get(f"{url}/health").json() == {"status": "ok"}
    unread = TestClient(app).post("/inference_batch", content=b"x" * 10**6)
    assert unread.status_code == 401


def test_a_service_with_another_model_is_noticed_around_each_video_and_after_a_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mouse_ar.detection.transport._MAX_PAUSE_SECONDS", 0.01)
    other = BrightDetector()
    other.fingerprint = "bright-2"
    with (
        serving(create_app(DETECTOR)) as first,
        serving(create_app(other)) as second,
        FaultyProxy(first) as proxy,
        RemoteDetector(proxy.url) as detector,
    ):
        detector.prepare(None)  # type: ignore[arg-type]
        assert len(detector.detect(FRAMES)) == 5
        detector.confirm()
        proxy.target = second
        with pytest.raises(DetectorUnavailableError, match="another model"):
            detector.confirm()
        with pytest.raises(DetectorUnavailableError, match="another model"):
            detector.prepare(None)  # type: ignore[arg-type]
        proxy.faults = [503]
        with pytest.raises(DetectorUnavailableError, match=r"now Bright.*before Bright"):
            detector.detect(FRAMES)
        proxy.always = 500  # is not blamed on the frames then
        with pytest.raises(DetectorUnavailableError, match="another model"):
            detector.detect(FRAMES)


def test_health_answers_while_the_detector_is_at_work() -> None:
    at_work, go_on = threading.Event(), threading.Event()

    class Slow(BrightDetector):
        def detect(self, frames_NHWC: NDArray[np.uint8]) -> list[list[Detection]]:
            at_work.set()
            assert go_on.wait(30)
            return super().detect(frames_NHWC)

    with (
        serving(create_app(Slow())) as url,
        ThreadPoolExecutor(1) as pool,
        RemoteDetector(url) as detector,
    ):
        answer = pool.submit(detector.detect, FRAMES)
        try:
            assert at_work.wait(30)
            assert httpx.get(f"{url}/health", timeout=5).status_code == 200
            assert httpx.post(f"{url}/get_session_info", timeout=5).status_code == 200
        finally:
            go_on.set()
        assert len(answer.result(30)) == 5


class Held(BrightDetector):
    """Works only while it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.at_work, self.go_on = threading.Event(), threading.Event()
        self.batches = 0

    def detect(self, frames_NHWC: NDArray[np.uint8]) -> list[list[Detection]]:
        self.batches += 1
        self.at_work.set()
        assert self.go_on.wait(30)
        return super().detect(frames_NHWC)


def ask(url: str, *, seconds: float = 30) -> httpx.Response:
    return httpx.post(f"{url}/inference_batch", files=[("files", ("0.png", PNG))], timeout=seconds)


def test_requests_wait_undecoded_and_only_a_few_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []
    load = service.load_images

    def counting(files: list[Any]) -> NDArray[np.uint8]:
        decoded.append(len(files))
        return load(files)

    monkeypatch.setattr(service, "load_images", counting)
    held = Held()
    with serving(create_app(held)) as url, ThreadPoolExecutor(12) as pool:
        answers = [pool.submit(ask, url) for _ in range(12)]
        try:
            assert held.at_work.wait(30)
            first = [answer.result() for answer in itertools.islice(as_completed(answers), 3)]
            assert [answer.status_code for answer in first] == [503] * 3
            assert int(first[0].headers["retry-after"]) > 0
            assert "8 requests wait" in first[0].json()["detail"]
            assert decoded == [1]
        finally:
            held.go_on.set()
        statuses = sorted(answer.result(30).status_code for answer in answers)
    assert statuses == [200] * 9 + [503] * 3
    assert decoded == [1] * 9


def test_nothing_is_done_for_clients_that_have_left() -> None:
    held = Held()
    with serving(create_app(held)) as url, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, url)
        try:
            assert held.at_work.wait(30)
            for _ in range(3):
                with pytest.raises(httpx.ReadTimeout):
                    ask(url, seconds=0.3)
        finally:
            held.go_on.set()
        assert answer.result(30).status_code == 200
        assert ask(url).status_code == 200
    assert held.batches == 2


def test_requests_are_kept_within_the_limit_the_service_names() -> None:
    frames = np.random.default_rng(0).integers(0, 255, (6, 100, 100, 3), dtype=np.uint8)
    sizes: list[int] = []

    class Counting(BrightDetector):
        def detect(self, frames_NHWC: NDArray[np.uint8]) -> list[list[Detection]]:
            sizes.append(len(frames_NHWC))
            return super().detect(frames_NHWC)

    with (
        serving(create_app(Counting(), max_request_bytes=2**17, max_images=5)) as url,
        RemoteDetector(url, image_format="png", confidence=0.0) as detector,
    ):
        assert detector.detect(frames) == BrightDetector().detect(frames)
        assert sizes == [2, 2, 1, 1]
        with pytest.raises(DetectorRefusedError, match=r"does not fit in a request.*131072 bytes"):
            detector.detect(np.random.default_rng(0).integers(0, 255, (1, 200, 200, 3), np.uint8))


def test_confidence(url: str, client: TestClient) -> None:
    score = DETECTOR.detect(FRAMES[:1])[0][0].score
    for conf, expected in ((score, 1), (score + 0.01, 0)):
        state = json.dumps({"settings": {"conf": conf}})
        for name in ("state", "settings"):  # the older name of the part
            (result,) = post(client, PNG, **{name: state}).json()
            assert len(result["annotation"]["objects"]) == expected
    other = json.dumps({"settings": {"classes": ["rat"]}})
    assert post(client, PNG, state=other).json()[0]["annotation"]["objects"] == []
    with (
        serving(create_app(DETECTOR, min_confidence=0.5)) as limited,
        pytest.raises(DetectorSetupError, match=r"nothing below 0\.5"),
    ):
        RemoteDetector(limited)


def test_images_of_several_sizes_in_one_request(client: TestClient) -> None:
    frames = [FRAMES[0], FRAMES[1][:200], FRAMES[2][:200], FRAMES[3]]
    answer = post(client, *(encode_frame(frame, image_format="png") for frame in frames)).json()
    sizes = [item["annotation"]["size"]["height"] for item in answer]
    assert sizes == [240, 200, 200, 240]
    assert [item["name"] for item in answer] == ["0.png", "1.png", "2.png", "3.png"]


def bomb(width: int, height: int) -> bytes:
    """A PNG that claims a size in its header alone."""
    out = io.BytesIO()
    Image.new("RGB", (1, 1)).save(out, "PNG")
    data = bytearray(out.getvalue())
    data[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    return bytes(data)


def test_the_only_limit_of_pixels_is_the_one_that_was_set() -> None:
    """Pillow has another one, of 179 million."""
    large = TestClient(create_app(DETECTOR, max_image_pixels=500 * 10**6))
    assert "has 30000x20000 pixels; at most 500000000" in post(large, bomb(30000, 20000)).text
    upload = UploadFile(io.BytesIO(bomb(20000, 20000)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check_images([upload], max_pixels=500 * 10**6) == [(20000, 20000)]


@pytest.mark.parametrize(
    ("images", "fields", "status", "message"),
    [
        ([PNG, b"GIF89a nonsense"], {}, 422, r"number 2 \('1.png'\) cannot be decoded"),
        ([PNG[:-200]], {}, 422, "cannot be decoded as JPEG or PNG"),
        ([b""], {}, 422, "cannot be decoded"),
        ([PNG, bomb(1001, 1000)], {}, 413, "number 2 .* has 1001x1000 pixels"),
        ([bomb(20000, 20000)], {}, 413, "has 20000x20000 pixels; at most 1000000 in all"),
        ([bomb(2**31 - 1, 2**31 - 1)], {}, 413, "has 2147483647x2147483647 pixels"),
        ([bomb(0, 0)], {}, 422, "cannot be decoded"),
        ([PNG] * 5, {}, 413, "5 images in one request; at most 4"),
        ([PNG], {"state": "{"}, 422, "Part 'state' is not usable"),
        ([PNG], {"state": "[1]"}, 422, "Part 'state' is not usable"),
        ([PNG], {"state": "[" * 10**5}, 422, "Part 'state' is not usable"),
        ([PNG], {"state": '{"settings": {"conf": NaN}}'}, 422, "settings.conf"),
        ([PNG], {"state": '{"settings": {"conf": 2}}'}, 422, "settings.conf"),
        ([PNG], {"state": '{"batch_size": 0}'}, 422, "batch_size"),
    ],
)
def test_bad_input_is_told_by_name(
    client: TestClient, images: list[bytes], fields: dict[str, str], status: int, message: str
) -> None:
    answer = post(client, *images, **fields)
    assert answer.status_code == status
    assert re.search(message, answer.json()["detail"])


def test_damaged_images_never_end_in_a_server_error(client: TestClient) -> None:
    rng = np.random.default_rng(0)
    jpeg = encode_frame(FRAMES[0], image_format="jpeg")
    seen = set()
    for _ in range(150):
        data = bytearray(jpeg if rng.random() < 0.5 else PNG)
        for place in rng.integers(0, min(len(data), int(rng.choice([40, 700, 10**6]))), 6):
            data[place] = rng.integers(0, 256)
        seen.add(post(client, bytes(data[: rng.integers(1, len(data) + 1)])).status_code)
    assert seen <= {200, 413, 422}
    assert 422 in seen


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError("odd size"), 422), (RuntimeError("CUDA out of memory"), 500)]
)
def test_a_failing_detector_says_why(error: Exception, status: int) -> None:
    class Failing(BrightDetector):
        def detect(self, frames_NHWC: NDArray[np.uint8]) -> list[list[Detection]]:
            raise error

    answer = post(TestClient(create_app(Failing())), PNG)
    assert answer.status_code == status
    assert str(error) in answer.json()["detail"]


def test_one_pixel_and_too_many_for_the_client(url: str) -> None:
    with RemoteDetector(url) as detector:
        assert detector.detect(FRAMES[:, :1, :1]) == [[]] * 5
        with pytest.raises(DetectorRefusedError, match="HTTP 413: Part 'files' number 1"):
            detector.detect(np.zeros((1, 1001, 1000, 3), np.uint8))
        assert len(detector.detect(FRAMES)) == 5


def raw_request(url: str, head: str, body: bytes, *, more: int = 0) -> bytes:
    """The first part of the answer to a request whose body is not all sent."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(f"POST /inference_batch HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode())
        connection.sendall(body)
        return connection.recv(4096)


def test_too_large_a_body_is_refused_before_it_is_read(url: str) -> None:
    form = "Content-Type: multipart/form-data; boundary=b"
    began = time.monotonic()
    answer = raw_request(url, f"{form}\r\nContent-Length: 10000000000", b"--b\r\n")
    assert b" 413 " in answer.split(b"\r\n")[0]
    assert time.monotonic() - began < 5
    part = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in (part, b"0" * 2**20, b"0" * 99))
    answer = raw_request(url, f"{form}\r\nTransfer-Encoding: chunked", chunks)
    assert b" 413 " in answer.split(b"\r\n")[0]


def test_a_detector_that_learns_from_videos_cannot_be_served() -> None:
    with pytest.raises(DetectorSetupError, match="learns the background of each video"):
        create_app(BackgroundSubtraction())
