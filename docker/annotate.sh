#!/bin/sh
# What compose.yaml runs: annotate /input into /output with what lies in /models.
set -eu

if ! [ -d /output ]; then
    echo "OUTPUT=${OUTPUT:-} is no folder. Set OUTPUT in docker/.env to one, and start again." >&2
    exit 2
fi

# The results belong to the caller; root's rights are given up before anything is read.
if [ "$(id -u)" = 0 ]; then
    if [ "$(stat -c %u /output)" = 0 ] && [ -z "$(ls -A /output)" ]; then
        # Docker has just made it, as root.
        chown "$(stat -c %u:%g /caller)" /output
    fi
    uid=$(stat -c %u /output)
    if [ "$uid" != 0 ]; then
        exec setpriv --reuid "$uid" --regid "$(stat -c %g /output)" --clear-groups \
            --inh-caps=-all /bin/sh "$0"
    fi
fi

if [ -d /input ] && [ -z "$(ls -A /input)" ]; then
    echo "INPUT=${INPUT:-} does not exist, or is empty: Docker makes an empty folder where there is" \
        "nothing. Set INPUT in docker/.env to a video or a folder of videos; paths are relative" \
        "to that file." >&2
    exit 2
fi

source=/input
if [ -f /input ]; then
    # Results are named after the video, not after the place where it is mounted.
    mkdir -p /tmp/input
    source="/tmp/input/$(basename "$INPUT")"
    ln -sf /input "$source"
fi

set -- mouse-ar infer "$source" /output --models /models
[ -z "${MODEL:-}" ] || set -- "$@" --checkpoint "/models/$MODEL"
case "${DETECTOR:-}" in
    "") ;;
    *:* | background) set -- "$@" --detector "$DETECTOR" ;;
    *) set -- "$@" --detector "rtdetrv2:/models/$DETECTOR" ;;
esac
# shellcheck disable=SC2086  # several words are meant
exec "$@" ${ARGUMENTS:-}
