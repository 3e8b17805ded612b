# Sourced by the scripts: installs the packages that are missing, and only then asks for rights.
install_packages() {
  command -v dpkg-query > /dev/null || return 0
  local missing=() package
  for package in g++ cmake make git libeigen3-dev libxsimd-dev nlohmann-json3-dev "$@"; do
    [ "$(dpkg-query -W -f='${Status}' "$package" 2> /dev/null)" = "install ok installed" ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  local as_root=(); [ "$(id -u)" = 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
}
