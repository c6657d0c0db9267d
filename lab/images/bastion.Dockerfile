# What all lab machines share: sshd, the users, their passwords. By itself it is
# the bastion, a machine that does nothing but sshd.
ARG BASE
FROM ${BASE}
COPY files/lab-init /sbin/lab-init
COPY files/sshd.conf /etc/ssh/sshd_config.d/lab.conf
COPY files/sudoers /etc/sudoers.d/lab
RUN chmod 0440 /etc/sudoers.d/lab \
 && rm -f /etc/ssh/ssh_host_* \
 && for user in ops deploy nosudo; do \
      useradd --create-home --shell /bin/bash "$user" && echo "$user:$user-secret" | chpasswd || exit 1; \
    done \
 && echo root:root-secret | chpasswd \
 && for home in /root /home/ops /home/deploy /home/nosudo; do \
      install -d -m 0700 -o "$(stat -c %U "$home")" -g "$(stat -c %G "$home")" "$home/.ssh" || exit 1; \
    done
CMD ["/sbin/lab-init", "/usr/sbin/sshd", "-D", "-e"]
