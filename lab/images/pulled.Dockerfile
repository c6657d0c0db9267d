# The base of all hosts where Debian's own image can be pulled. Where it cannot,
# mmdebstrap or debootstrap makes the same (lib/images.sh).
ARG SUITE=bookworm
FROM debian:${SUITE}
COPY packages /tmp/packages
RUN apt-get update -q \
 && xargs env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends </tmp/packages \
 && rm -rf /tmp/packages /var/lib/apt/lists/* /var/cache/apt/*.bin
