#!/bin/sh
# system.sh NEED…: brings the programs that this machine lacks, or says the one line that brings them, and fails.
#
#   venv:PYTHON               an interpreter of 3.11 or newer that can make virtual environments
#   PROGRAM=PACKAGE           a program of a package of Debian, installed by apt as root or with sudo
#   NAME.so.N=PACKAGE         a library, likewise
#   FOLDER:PROGRAM=PACKAGE    the same, but unpacked into FOLDER: the package would start a service of its own
#
# It says what it does before it does it. INSTALL=no forbids it to install anything.
set -eu

missing="" install="" unpack="" folder=""
for need; do
  case $need in
    venv:*)
      python=${need#venv:} program=$python package="python3 python3-venv"
      if command -v "$python" >/dev/null; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
          echo "$python is Python $version, and modelyard needs 3.11 or newer. Type: make … PYTHON=/path/to/python3" >&2
          exit 1
        fi
        "$python" -c 'import ensurepip, venv' 2>/dev/null && continue
        program="the venv module of $python" package=python$version-venv
      fi
      install="$install $package"
      ;;
    *:*)
      folder=${need%%:*} need=${need#*:} program=${need%%=*}
      PATH=$folder/usr/bin:$PATH command -v "$program" >/dev/null && continue
      unpack="$unpack ${need#*=}"
      ;;
    *)
      program=${need%%=*}
      case $program in
        *.so.*) PATH=$PATH:/usr/sbin:/sbin ldconfig -p | grep -q "$program" && continue ;;
        *) command -v "$program" >/dev/null && continue ;;
      esac
      install="$install ${need#*=}"
      ;;
  esac
  missing="${missing:+$missing, }$program"
done
[ -n "$missing" ] || exit 0

line="apt-get update && apt-get install --yes --no-install-recommends$install$unpack"
stop() {
  echo "$1" >&2
  case $(id -u)/$(command -v sudo || true) in
    0/*) echo "Type this, then call make again:  $line" >&2 ;;
    */) echo "Type this, then call make again:  su -c '$line'" >&2 ;;
    *) echo "Type this, then call make again:  sudo sh -c '$line'" >&2 ;;
  esac
  exit 1
}

echo "This machine lacks: $missing." >&2
if ! command -v apt-get >/dev/null; then
  echo "Install $missing with this system's package manager, then call make again." >&2
  exit 1
fi
[ "${INSTALL:-yes}" != no ] || stop "INSTALL=no forbids make to install it."
as=""
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || stop "Only root may install it."
  sudo -n true 2>/dev/null || [ -t 0 ] || stop "sudo asks for a password, and nobody is here to type it."
  as="sudo"
fi
export DEBIAN_FRONTEND=noninteractive
[ -z "$install" ] || echo "Installing by apt:$install" >&2
[ -z "$unpack" ] || echo "Unpacking from packages of apt into $folder, without installing them:$unpack" >&2
$as apt-get update -qq || stop "apt does not reach Debian's packages. It needs the network."
if [ -n "$install" ]; then
  # shellcheck disable=SC2086 # names of packages, apart by spaces
  $as apt-get install --yes -qq --no-install-recommends $install >/dev/null || stop "apt could not install it."
fi
if [ -n "$unpack" ]; then
  mkdir -p "$folder"
  # shellcheck disable=SC2086
  (cd "$folder" && apt-get download -qq $unpack) || stop "apt could not download it."
  for archive in "$folder"/*.deb; do dpkg-deb --extract "$archive" "$folder" && rm "$archive"; done
  # Debian's Alertmanager reads its template from there, wherever the program is.
  if [ -d "$folder/usr/share/prometheus" ] && [ ! -e /usr/share/prometheus ]; then
    $as cp -r "$folder/usr/share/prometheus" /usr/share/
  fi
fi
