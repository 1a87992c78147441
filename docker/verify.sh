#!/bin/sh
# Build the image and use it as a lab would, with a real engine:
#   docker/verify.sh VIDEO CHECKPOINT [DETECTOR]
# VIDEO: a video file; CHECKPOINT: a trained .safetensors; DETECTOR: an RT-DETRv2 checkpoint.
# BASE_IMAGE, PIP_INDEX_URL, PIP_EXTRA_INDEX_URL and CA_CERTIFICATES are passed on to the build;
# COMPOSE is the command (docker compose, or docker-compose where that is missing); SKIP_BUILD=1
# uses the image that is there.
set -eu

video=$(realpath "$1")
checkpoint=$(realpath "$2")
detector=${3:+$(realpath "$3")}
here=$(dirname "$(realpath "$0")")
: "${COMPOSE:=$(docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)}"

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
mkdir "$place/models" "$place/empty" "$place/out"
cp "$checkpoint" "$place/models/whatever it is called.safetensors"
[ -z "$detector" ] || cp "$detector" "$place/models/"
[ "$(id -u)" != 0 ] || chown -R 12345:12345 "$place/out" "$place/models"  # as if another user had called
owner=$(stat -c %u:%g "$place/out")

up() {  # INPUT OUTPUT MODELS: the exit code of the run; what it said is in $place/said
    code=0
    INPUT=$1 OUTPUT=$2 MODELS=$3 COMPOSE_PROFILES=cpu \
        $COMPOSE -f "$here/compose.yaml" up --abort-on-container-exit --exit-code-from cpu \
        > "$place/said" 2>&1 || code=$?
    $COMPOSE -f "$here/compose.yaml" --profile cpu down > /dev/null 2>&1 || true
}

must() {  # DESCRIPTION COMMAND...
    what=$1
    shift
    if "$@"; then echo "ok: $what"; else
        echo "FAILED: $what" >&2
        sed 's/^/    /' "$place/said" >&2
        exit 1
    fi
}

# Some storage drivers copy the whole image for a container.
export COMPOSE_HTTP_TIMEOUT="${COMPOSE_HTTP_TIMEOUT:-900}"
export INPUT="$video" OUTPUT="$place/out" MODELS="$place/models"
if [ -z "${SKIP_BUILD:-}" ]; then
    $COMPOSE -f "$here/compose.yaml" --profile cpu build
fi

up "$video" "$place/out" "$place/models"
must "a video is annotated (exit code $code)" [ "$code" = 0 ]
must "the results are named after the video" grep -q "$(basename "$video")" "$place/out/summary.csv"
must "nobody but the caller owns them" \
    [ -z "$(find "$place/out" -printf '%U:%G\n' | grep -vx "$owner" || true)" ]

up "$(dirname "$video")" "$place/out" "$place/empty"
must "without a model it fails" [ "$code" != 0 ]
must "... and says so" grep -q "holds no trained model" "$place/said"

up "$place/nothing.mp4" "$place/out" "$place/models"
must "a wrong path fails" [ "$code" != 0 ]
must "... and is named" grep -q "nothing.mp4" "$place/said"

up "$checkpoint" "$place/out" "$place/models"
must "what is no video fails" [ "$code" != 0 ]

for app in preprocess train infer; do
    docker run --rm --network none "${IMAGE:-supervisely/mouse-action-recognition:2.0.0}" \
        sh -c "cd apps/$app && python3 -c 'import uvicorn, mouse_ar.sly.ui.launch'" > "$place/said" 2>&1 ||
        must "the image holds what $app needs" false
done
echo "ok: the image holds what the apps need"
docker run --rm --network none "${IMAGE:-supervisely/mouse-action-recognition:2.0.0}" id -u | grep -qx 1000
echo "ok: the image's user is not root"
