# shellcheck shell=bash
# What scripts/* and .ci/run share; sourced, never run. Works with the bash 3.2 of macOS.
#
# Everything lands in one directory, $TAP_EMAILLOGS_HOME (default: .envs in the clone): remove it to start afresh.
# A machine needs Python 3.11, 3.12 or 3.13 and git. uv is used when it is there and fetched when it is not.

export HOME=${HOME:-~}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
home=${TAP_EMAILLOGS_HOME:-$root/.envs}

# Never a Python from elsewhere unless asked; compiled once here rather than at every start.
export UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# The certificates that this machine trusts, as pip has it: a company's proxy may sign with one of its own. (uv has its
# own list by default. The second name is that of uv before 0.10.)
export UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS:-true} UV_NATIVE_TLS=${UV_NATIVE_TLS:-true}
unset VIRTUAL_ENV PYTHONHOME PYTHONPATH PYTHONDONTWRITEBYTECODE

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
loud() { printf '\n\033[1;33m!!! %s\033[0m\n\n' "$*" >&2; }
die() {
  printf '\033[1;31mError:\033[0m %s\n' "$*" >&2
  exit 1
}
[ -t 2 ] || {
  say() { printf '==> %s\n' "$*" >&2; }
  loud() { printf '\n!!! %s\n\n' "$*" >&2; }
  die() {
    printf 'Error: %s\n' "$*" >&2
    exit 1
  }
}

# pip older than 24.2 has a list of its own, too.
for bundle in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
  if [ -s "$bundle" ]; then
    export PIP_CERT=${PIP_CERT:-$bundle}
    break
  fi
done

# Lines "3.12 /path/to/python": each Python that is found and works, the default first, each version once.
# A name on PATH may be a shim that runs nothing, so each is asked.
pythons=$(
  for candidate in python3 python3.13 python3.12 python3.11 \
    "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python3 /usr/bin/python3.1[1-3] /usr/local/bin/python3.1[1-3] \
    /opt/homebrew/bin/python3.1[1-3] "$HOME"/.local/share/uv/python/*/bin/python3; do
    "$candidate" -I -c 'import sys; print("%d.%d" % sys.version_info[:2], getattr(sys, "_base_executable", ""))' \
      2>/dev/null || true
  done | awk '($1 == "3.11" || $1 == "3.12" || $1 == "3.13") && !seen[$1]++'
)

# Sets PYTHON and VERSION: the default Python, or the one of the version given.
find_python() {
  local wanted=${1:-} found
  found=$(awk -v wanted="$wanted" '!done && (wanted == "" || $1 == wanted) { print; done = 1 }' <<<"$pythons")
  [ -n "$found" ] || die "no Python ${wanted:-3.11, 3.12 or 3.13} found (looked on PATH and among pyenv's and uv's)"
  VERSION=${found%% *}
  PYTHON=${found#* }
}

# Sets UV: the one on PATH when it is recent enough, else one of our own, from PyPI into a venv.
find_uv() {
  local own=$home/uv version python
  for UV in uv "$own/bin/uv"; do
    version=$("$UV" --version 2>/dev/null || true)
    if awk '{ split($2, v, "."); new = v[1] > 0 || v[2] >= 8 } END { exit !new }' <<<"$version"; then
      return
    fi
  done
  find_python
  prepare_home
  say "No recent uv here: fetching it from PyPI into $own"
  while read -r _ python; do
    rm -rf "$own"
    if "$python" -m venv "$own" >/dev/null 2>&1; then
      "$own/bin/python" -m pip install --quiet --require-hashes --requirement "$root/requirements/uv.txt" >&2
      return
    fi
  done <<<"$pythons"
  die "$PYTHON cannot make a venv, which is needed to fetch uv (Debian and Ubuntu: apt-get install python3-venv)"
}

prepare_home() {
  mkdir -p "$home"
  [ -e "$home/.gitignore" ] || echo '*' >"$home/.gitignore"
}

# Makes the environment $home/<name> hold exactly requirements/<requirements>.txt, for the Python of find_python.
# Does nothing when it already does.
environment() { # name, requirements
  local directory=$home/$1 file=$root/requirements/$2.txt stamp
  stamp="$PYTHON $(git hash-object "$file")"
  if [ "$(cat "$directory/.stamp" 2>/dev/null)" != "$stamp" ] || ! "$directory/bin/python" -c '' 2>/dev/null; then
    say "Installing requirements/$2.txt for Python $VERSION"
    prepare_home
    rm -rf "$directory"
    "$UV" venv --quiet --python "$PYTHON" "$directory"
    "$UV" pip sync --quiet --python "$directory" --require-hashes "$file"
    echo "$stamp" >"$directory/.stamp"
  fi
}

# Sets WHEELHOUSE to a directory with all that README installs but the tap itself, for the Python of find_python: tests
# install from there, without a network.
wheelhouse() { # an environment with pip
  local stamp name
  local files=(build runtime target-duckdb)
  export WHEELHOUSE=$home/wheels-$VERSION
  stamp="$PYTHON $(cd "$root/requirements" && git hash-object "${files[@]/%/.txt}" | git hash-object --stdin)"
  if [ "$(cat "$WHEELHOUSE/.stamp" 2>/dev/null)" != "$stamp" ]; then
    say "Fetching wheels for Python $VERSION, for the tests that install"
    rm -rf "$WHEELHOUSE"
    for name in "${files[@]}"; do
      "$home/$1/bin/python" -m pip download -qq --no-deps --require-hashes --dest "$WHEELHOUSE" \
        --requirement "$root/requirements/$name.txt" >&2
    done
    echo "$stamp" >"$WHEELHOUSE/.stamp"
  fi
}

# Builds the wheel that would be published, as the only file in $home/dist.
build_wheel() {
  rm -rf "$home/dist"
  prepare_home
  "$UV" build --quiet --wheel --build-constraints "$root/requirements/build.txt" --require-hashes \
    --out-dir "$home/dist" "$root"
}

# Sets MELTANO_BIN, and installs the plugins of meltano.yml (the extractor from this clone).
meltano_project() {
  local stamp
  environment meltano meltano
  export MELTANO_BIN=$home/meltano/bin/meltano MELTANO_SYS_DIR_ROOT=${MELTANO_SYS_DIR_ROOT:-$root/.meltano}
  stamp="$PYTHON $(cd "$root" && git hash-object pyproject.toml meltano.yml requirements/*.txt | git hash-object --stdin)"
  if [ "$(cat "$MELTANO_SYS_DIR_ROOT/.stamp" 2>/dev/null)" != "$stamp" ]; then
    say "Installing Meltano's plugins"
    (cd "$root" && "$MELTANO_BIN" --log-level=warning install >&2)
    echo "$stamp" >"$MELTANO_SYS_DIR_ROOT/.stamp"
  fi
}
