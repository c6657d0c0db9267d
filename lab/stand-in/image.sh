#!/bin/sh
# Makes a node image in which the stand-in is k3s, laid out as k3s' own: image.sh REF [VERSION]
# For container clusters where no real k3s can be had: `airlift run --image REF`. It also serves as the image of the load
# balancer. BASE=IMAGE takes another base; it needs python3, openssl, iptables, iproute2, util-linux and busybox.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ $# -lt 1 ]; then
  echo "usage: $0 REF [VERSION]   (default version v1.33.1+k3s1)" >&2
  exit 2
fi
ref=$1
version=${2:-v1.33.1+k3s1}
if [ -z "${BASE-}" ]; then
  # The bastion's image is the base of all hosts, with an SSH server that is not started here.
  BASE=$("$here/../lab.sh" images bastion)
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$here/build.sh" "$out/build" "$version"
mkdir "$out/context"
mv "$out/build/k3s" "$out/context/k3s"
cat > "$out/context/Dockerfile" <<END
FROM $BASE
COPY k3s /bin/k3s
# The links that k3s' own image has; telnet is what the load balancer asks its targets with.
RUN for name in kubectl ctr crictl; do ln -sf k3s /bin/\$name; done \\
 && ln -sf busybox /bin/telnet \\
 && rm -f /etc/machine-id /usr/local/bin/k3s \\
 && mkdir -p /bin/aux /lib/modules /var/lib/rancher/k3s/data/cni
VOLUME /var/lib/kubelet
VOLUME /var/lib/rancher/k3s
VOLUME /var/lib/cni
VOLUME /var/log
ENV PATH=/var/lib/rancher/k3s/data/cni:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/bin/aux
ENV CRI_CONFIG_FILE=/var/lib/rancher/k3s/agent/etc/crictl.yaml
LABEL airlift.lab.image=1 airlift.version="$version"
ENTRYPOINT ["/bin/k3s"]
CMD ["agent"]
END
DOCKER_BUILDKIT=0 docker build --quiet --network none -t "$ref" "$out/context" >/dev/null 2>"$out/log" || { cat "$out/log" >&2; exit 1; }
echo "$ref"
