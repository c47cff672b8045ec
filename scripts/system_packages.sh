#!/usr/bin/env bash
# Installs the Debian packages that `make demo` (run) or `make test` (test) need; as root it installs them,
# without root it prints the one line that does, before anything is downloaded.
set -euo pipefail

# python3-venv: pip inside the virtual environment; the other three are linked by opencv-python.
run=(python3-venv libgl1 libglib2.0-0 libxcb1)
# A virtual screen and what Qt's xcb platform plugin links; Tesseract for text in pictures.
test=("${run[@]}" xvfb libegl1 libdbus-1-3 libfontconfig1 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4
    libxcb-image0 libxcb-keysyms1 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libxcb-randr0 chromium
    tesseract-ocr)

case "${1:-}" in
run) wanted=("${run[@]}") ;;
test) wanted=("${test[@]}") ;;
*)
    echo "usage: $0 run|test" >&2
    exit 2
    ;;
esac

python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "usimg needs Python 3.11 or newer; '$python' is $("$python" -V 2>&1)" >&2
    exit 1
}
command -v dpkg-query >/dev/null || {
    echo "not a Debian system: please see that OpenGL (libGL), glib and libxcb are installed" >&2
    exit 0
}

missing=()
for package in "${wanted[@]}"; do
    # A Python that brings its own venv (pyenv, python.org's image) needs no python3-venv.
    [ "$package" = python3-venv ] && "$python" -c 'import ensurepip' 2>/dev/null && continue
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "usimg needs these Debian packages first:" >&2
    echo "    sudo apt-get install ${missing[*]}" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
