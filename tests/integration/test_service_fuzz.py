"""Whatever comes in, our detector service answers as its schema says, and never with a 5xx."""

from __future__ import annotations

import json
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import positive_data_acceptance

from doubles.bright import BrightDetector, mouse_frames
from mouse_ar.detection.service import create_app
from mouse_ar.detection.wire import encode_frame

SCHEMAS = {
    "open": schemathesis.openapi.from_asgi(
        "/openapi.json", create_app(BrightDetector(), max_request_bytes=2**16)
    ),
    "token": schemathesis.openapi.from_asgi(
        "/openapi.json", create_app(BrightDetector(), token="secret", max_request_bytes=2**16)
    ),
}
FEW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))

# Bytes of any kind fit the schema, which cannot say what an image is.
UNSAID = [positive_data_acceptance]

pytestmark = pytest.mark.timeout(120)


@SCHEMAS["open"].parametrize()
@FEW
def test_open_service(case: schemathesis.Case) -> None:
    case.call_and_validate(excluded_checks=UNSAID)


@SCHEMAS["token"].parametrize()
@FEW
def test_service_with_token(case: schemathesis.Case) -> None:
    case.call_and_validate(headers={"x-api-key": "secret"}, excluded_checks=UNSAID)


@pytest.mark.parametrize("path", ["/inference_batch", "/get_session_info", "/get_deploy_info"])
def test_without_the_token_there_is_nothing_but_401(path: str) -> None:
    client = TestClient(create_app(BrightDetector(), token="secret"))
    assert client.post(path).status_code == 401
    assert client.post(path, headers={"x-api-key": "wrong"}).status_code == 401


NAMES = st.sampled_from(["conf", "confidence_threshold", "classes", "settings", "batch_size"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
CLIENT = TestClient(create_app(BrightDetector()))
IMAGE = encode_frame(mouse_frames(1, seed=0, height=130, width=130)[0], image_format="jpeg")


@given(state=st.dictionaries(NAMES, VALUES, max_size=3).map(json.dumps) | st.text(max_size=30))
@settings(max_examples=150, deadline=None)
def test_a_true_image_with_any_state(state: str) -> None:
    answer = CLIENT.post(
        "/inference_batch", files=[("files", ("a.jpg", IMAGE))], data={"state": state}
    )
    assert answer.status_code in {200, 422}, answer.text
