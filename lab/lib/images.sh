# shellcheck shell=bash
# `lab.sh images`: the images of the hosts. base -> bastion -> systemd, openrc.
# Each tag carries a hash of everything that went into the image, so that a change
# makes a new one and nothing is built twice.

readonly IMAGE_KINDS='systemd openrc bastion'
readonly BUILD_LOG=${TMPDIR:-/tmp}/airlift-lab-build.$$.log

image_hash() { sha256sum | cut -c 1-12; }

# image_tag KIND: where that image is, whether or not it exists yet.
image_tag() {
  local dir=$LAB_ROOT/images hash
  case $1 in
    base) hash=$({ cat "$dir/packages" "$dir/pulled.Dockerfile"; echo "$AIRLIFT_LAB_SUITE"; } | image_hash) ;;
    bastion) hash=$({ image_tag base; cat "$dir/bastion.Dockerfile" "$dir"/files/*; } | image_hash) ;;
    systemd | openrc) hash=$({ image_tag bastion; cat "$dir/$1.Dockerfile"; } | image_hash) ;;
    *) die "no image \"$1\"" ;;
  esac
  printf 'airlift-lab-%s:%s\n' "$1" "$hash"
}

image_exists() { docker image inspect "$1" >/dev/null 2>&1; }

# Root on Debian makes the base from Debian packages, everybody else pulls it.
image_base_is_bootstrapped() {
  is_root && command -v apt-get >/dev/null && ! image_exists "debian:$AIRLIFT_LAB_SUITE"
}

# image_bootstrap TAR: a minimal Debian root filesystem, with no documentation.
image_bootstrap() {
  local tar=$1 packages
  packages=$(paste -sd, "$LAB_ROOT/images/packages")
  command -v mmdebstrap >/dev/null || command -v debootstrap >/dev/null || apt_install mmdebstrap
  say "bootstrapping Debian $AIRLIFT_LAB_SUITE, takes about a minute"
  rm -rf "$tar" "$tar.part"
  if command -v mmdebstrap >/dev/null; then
    # The name does not end as that of a tar does: unless told, mmdebstrap makes a directory of it.
    nice mmdebstrap --quiet --format=tar --variant=minbase --include="$packages" \
      --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
      --dpkgopt='path-exclude=/usr/share/locale/*' --aptopt='Acquire::Languages "none"' \
      "$AIRLIFT_LAB_SUITE" "$tar.part" "$AIRLIFT_LAB_MIRROR" >"$BUILD_LOG" 2>&1 || image_failed mmdebstrap
  else
    local dir=$AIRLIFT_LAB_CACHE/rootfs.$$
    nice debootstrap --variant=minbase --include="$packages" "$AIRLIFT_LAB_SUITE" "$dir" "$AIRLIFT_LAB_MIRROR" \
      >"$BUILD_LOG" 2>&1 || { rm -rf "$dir" && image_failed debootstrap; }
    rm -rf "$dir"/usr/share/{doc,man,locale}/* "$dir"/var/cache/apt/archives/*.deb "$dir"/var/lib/apt/lists/*
    tar -C "$dir" --numeric-owner --one-file-system -cf "$tar.part" .
    rm -rf "$dir"
  fi
  mv "$tar.part" "$tar"
}

image_failed() {
  tail -n 15 "$BUILD_LOG" >&2
  die "$1 failed, whole log in $BUILD_LOG"
}

image_build_base() {
  local tag=$1
  if ! image_base_is_bootstrapped; then
    image_build "$tag" pulled.Dockerfile --build-arg "SUITE=$AIRLIFT_LAB_SUITE"
    return
  fi
  local tar=$AIRLIFT_LAB_CACHE/base-${tag#*:}.tar
  [ -f "$tar" ] || image_bootstrap "$tar"
  docker import -c 'CMD ["/bin/bash"]' "$tar" "$tag" >/dev/null
}

# image_build TAG DOCKERFILE ARGUMENT...: the old builder first, since BuildKit
# is not everywhere; the host's network, since its resolver is known to work.
image_build() {
  local tag=$1 file=$2
  shift 2
  say "building ${tag%:*}"
  local build=(docker build --network host --label "$LAB_LABEL.image=1" -t "$tag" -f "$LAB_ROOT/images/$file" "$@" "$LAB_ROOT/images")
  DOCKER_BUILDKIT=0 "${build[@]}" >"$BUILD_LOG" 2>&1 || "${build[@]}" >"$BUILD_LOG" 2>&1 || image_failed "docker build of $file"
}

image_make() {
  local kind=$1 tag
  tag=$(image_tag "$kind")
  image_exists "$tag" && return 0
  case $kind in
    base) image_build_base "$tag" ;;
    bastion) image_make base && image_build "$tag" bastion.Dockerfile --build-arg "BASE=$(image_tag base)" ;;
    *) image_make bastion && image_build "$tag" "$kind.Dockerfile" --build-arg "BASE=$(image_tag bastion)" ;;
  esac
  rm -f "$BUILD_LOG"
}

# ensure_image KIND: quick when it is there, one builder at a time when it is not.
ensure_image() {
  image_exists "$(image_tag "$1")" || with_lock images image_make "$1"
}

cmd_images() {
  local kind kinds=("$@")
  ((${#kinds[@]} > 0)) || read -ra kinds <<<"$IMAGE_KINDS"
  for kind in "${kinds[@]}"; do
    [[ " $IMAGE_KINDS " == *" $kind "* ]] || usage_error "unknown image \"$kind\": one of $IMAGE_KINDS"
  done
  ensure_engine
  for kind in "${kinds[@]}"; do
    ensure_image "$kind"
    image_tag "$kind"
  done
}
