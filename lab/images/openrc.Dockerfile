# A bare host with OpenRC, started by sysvinit as Debian does it. The links that
# are removed are those of services which want disks, clocks or consoles.
ARG BASE
FROM ${BASE}
RUN apt-get update -q \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends openrc sysvinit-core \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /etc/ssh/ssh_host_* \
 && cd /etc/runlevels/sysinit \
 && rm -f brightness checkfs.sh checkroot-bootclean.sh checkroot.sh hwclock.sh kmod mount-configfs mountall-bootclean.sh \
      mountall.sh mountdevsubfs.sh mountkernfs.sh urandom hostname.sh \
 && cd /etc/runlevels/off && rm -f savecache umountfs umountnfs.sh umountroot \
 && sed -i -e '/getty/d' -e 's|^ca:.*|ca:12345:ctrlaltdel:/sbin/shutdown -h now|' /etc/inittab
STOPSIGNAL SIGINT
# A shutdown leaves / read-only, and the engine gives a container the same mount again.
CMD ["/bin/sh", "-c", "mount -o remount,rw /; exec /sbin/lab-init /sbin/init"]
