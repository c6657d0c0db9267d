# A bare host with systemd. Whatever a container cannot have (consoles, hardware)
# is masked, so that the state of the system is "running" and not "degraded"; and
# what no test needs is too, since a whole suite boots hundreds of hosts.
ARG BASE
FROM ${BASE}
RUN apt-get update -q \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends systemd systemd-sysv dbus \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /etc/ssh/ssh_host_* \
 && : >/etc/machine-id && rm -f /var/lib/dbus/machine-id \
 && systemctl enable ssh \
 && systemctl mask getty@tty1.service getty-static.service console-getty.service \
      e2scrub_reap.service e2scrub_all.timer fstrim.timer apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
      systemd-pstore.service sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount \
      sys-fs-fuse-connections.mount dev-hugepages.mount proc-sys-fs-binfmt_misc.automount systemd-binfmt.service \
      systemd-modules-load.service systemd-journald-audit.socket \
      modprobe@.service systemd-journal-flush.service systemd-logind.service systemd-sysusers.service \
      systemd-tmpfiles-clean.timer systemd-tmpfiles-setup-dev.service systemd-update-utmp.service \
      systemd-update-utmp-runlevel.service \
 # Each of them is run at every boot and every daemon-reload, and has nothing to find here.
 && install -d /etc/systemd/system-generators \
 && for generator in cryptsetup getty gpt-auto hibernate-resume integritysetup run system-update veritysetup; do \
      ln -s /dev/null "/etc/systemd/system-generators/systemd-$generator-generator" || exit 1; \
    done \
 # At every login.
 && rm -f /etc/update-motd.d/10-uname \
 && install -d /etc/systemd/system/ssh.service.d \
 # Before this unit /run/nologin turns away everybody but root.
 && printf '[Unit]\nAfter=systemd-user-sessions.service\n' >/etc/systemd/system/ssh.service.d/lab.conf
STOPSIGNAL SIGRTMIN+3
CMD ["/sbin/lab-init", "/lib/systemd/systemd"]
