#!/usr/bin/env bash
# Create .venv from requirements.lock. It can be run again after it was stopped at any point.
set -u
cd "$(dirname "$0")/.."

fail() {
    echo "setup: $*" >&2
    exit 1
}

python=${PYTHON:-python3.11}
[ -n "${PYTHON:-}" ] || command -v "$python" >/dev/null || python=python3
command -v "$python" >/dev/null || fail "want Python 3.11 or newer, got no '$python'. Install it, or set PYTHON."
[ "$("$python" -c 'import sys; print(sys.version_info >= (3, 11))' 2>/dev/null)" = True ] ||
    fail "want Python 3.11 or newer, got '$("$python" -V 2>&1)' of $python. Set PYTHON to a newer one."

rm -f .venv/ready
# After a kill, uv takes packages for complete that are not: the environment is then created again.
if [ -e .venv/installing ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    echo "setup: making .venv"
    "$python" -m venv --clear .venv ||
        fail "want a virtual environment in .venv, got an error from '$python -m venv'. On Debian, install python3-venv."
fi

uv=$(command -v uv || true)
if [ -z "$uv" ]; then
    echo "setup: installing uv into .venv"
    # pip does not read uv's variable, and only uv understands a name before the address (`corp=https://...`).
    [ -z "${UV_DEFAULT_INDEX:-}" ] || export PIP_INDEX_URL=${PIP_INDEX_URL:-$(sed 's/^[^:]*=//' <<<"$UV_DEFAULT_INDEX")}
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --require-hashes --requirement <(sed -n '/^uv==/,/[^\]$/p' requirements.lock) ||
        fail "want uv installed by pip, got the error above. Check the network, or set PIP_INDEX_URL or PIP_CERT."
    uv=.venv/bin/uv
fi

# Networks that sign with a certificate of their own put it into the system's store, which uv does not read by default.
[ ! -e /etc/ssl/certs/ca-certificates.crt ] || export UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS:-true}
echo "setup: installing the packages of requirements.lock (several GB; GRAFT_TORCH=cpu installs the small torch)"
touch .venv/installing
lock=requirements.lock
if [ -n "${GRAFT_TORCH:-}" ]; then
    # PyTorch's own index has other builds of the same versions, so the hashes of the lock do not match.
    lock=.venv/requirements.lock
    sed -E '/^torch(vision)?==/,/[^\]$/ {/^ /d; s/ \\$//}' requirements.lock >"$lock"
fi
# uv checks every package against the hashes of its constraints; --require-hashes would refuse graft itself.
"$uv" pip install --python .venv/bin/python ${GRAFT_TORCH:+--torch-backend "$GRAFT_TORCH"} \
    --constraint "$lock" --build-constraint "$lock" --editable '.[all]' ||
    fail "want the packages of requirements.lock installed, got the error above. Run the same command again; it continues where it stopped."

rm .venv/installing
# Python before 3.11.11 writes the folder's name in double quotes, in which a $ or a backtick is expanded.
.venv/bin/python -c 'import pathlib, re, shlex, sys
file = pathlib.Path(".venv/bin/activate")
line = "VIRTUAL_ENV=" + shlex.quote(sys.prefix)
file.write_text(re.sub("^VIRTUAL_ENV=.*", lambda found: line, file.read_text(), flags=re.MULTILINE))'
.venv/bin/python -c 'import graft, torch, torchvision' || fail "want graft and torch to be imported, got the error above. Delete .venv and run again."
quiet='export BENTOML_DO_NOT_TRACK=True DVC_NO_ANALYTICS=1 GX_ANALYTICS_ENABLED=false ORT_DISABLE_TELEMETRY=1'
account='. "$VIRTUAL_ENV/../scripts/account.sh"'
for line in "$quiet" "$account"; do
    grep -qxF "$line" .venv/bin/activate || echo "$line" >>.venv/bin/activate
done
touch .venv/ready
