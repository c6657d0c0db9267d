"""Which configuration keys k3s knows, by role. `l` list, `b` boolean, `s` scalar."""


def _table(**kinds: str) -> dict:
    return {name: kind for kind, names in kinds.items() for name in names.split()}


SERVER_ONLY = _table(
    s="""https-listen-port supervisor-port apiserver-port apiserver-bind-address advertise-address advertise-port
    service-node-port-range cluster-domain flannel-backend egress-selector-mode
    servicelb-namespace write-kubeconfig write-kubeconfig-mode write-kubeconfig-group helm-job-image agent-token
    agent-token-file cluster-reset-restore-path kine-tls datastore-endpoint datastore-cafile datastore-certfile
    datastore-keyfile etcd-snapshot-name etcd-snapshot-schedule-cron etcd-snapshot-retention etcd-snapshot-dir
    etcd-snapshot-reconcile-interval etcd-s3-endpoint etcd-s3-endpoint-ca etcd-s3-access-key etcd-s3-secret-key
    etcd-s3-session-token etcd-s3-bucket etcd-s3-bucket-lookup-type etcd-s3-region etcd-s3-folder etcd-s3-retention
    etcd-s3-proxy etcd-s3-config-secret etcd-s3-timeout default-local-storage-path secrets-encryption-provider
    system-default-registry datastore-reconcile-interval""",
    b="""tls-san-security flannel-ipv6-masq flannel-external-ip cluster-init cluster-reset etcd-expose-metrics
    etcd-disable-snapshots etcd-snapshot-compress etcd-s3 etcd-s3-skip-ssl-verify etcd-s3-insecure disable-scheduler
    disable-cloud-controller disable-kube-proxy disable-network-policy disable-helm-controller disable-apiserver
    disable-controller-manager disable-etcd disable-agent embedded-registry supervisor-metrics secrets-encryption
    enable-pprof""",
    l="""tls-san cluster-cidr service-cidr cluster-dns disable kube-apiserver-arg etcd-arg kube-controller-manager-arg
    kube-scheduler-arg kube-cloud-controller-manager-arg""",
)

COMMON = _table(
    s="""config token token-file server node-name resolv-conf flannel-iface flannel-conf flannel-cni-conf vpn-auth
    vpn-auth-file container-runtime-endpoint default-runtime image-service-endpoint pause-image snapshotter
    private-registry image-credential-provider-bin-dir image-credential-provider-config lb-server-port data-dir v
    vmodule log bind-address""",
    b="""with-node-id protect-kernel-defaults docker disable-default-registry-endpoint nonroot-devices selinux debug
    alsologtostderr prefer-bundled-bin rootless enable-iptables-logging""",
    l="""node-label node-taint node-ip node-external-ip node-internal-dns node-external-dns kubelet-arg kube-proxy-arg
    airgap-extra-registry""",
)

AGENT_ONLY = _table(b="disable-apiserver-lb")

SERVER = {**COMMON, **SERVER_ONLY}
AGENT = {**COMMON, **AGENT_ONLY}

SHORT = {"c": "config", "d": "data-dir", "t": "token", "s": "server", "i": "node-ip", "o": "write-kubeconfig"}

#: Environment beside the ones that are K3S_ + the key in capitals.
ENVIRONMENT = {
    "K3S_URL": "server", "K3S_TOKEN": "token", "K3S_TOKEN_FILE": "token-file", "K3S_AGENT_TOKEN": "agent-token",
    "K3S_AGENT_TOKEN_FILE": "agent-token-file", "K3S_NODE_NAME": "node-name", "K3S_DATA_DIR": "data-dir",
    "K3S_CLUSTER_INIT": "cluster-init", "K3S_CLUSTER_RESET": "cluster-reset",
    "K3S_KUBECONFIG_OUTPUT": "write-kubeconfig", "K3S_KUBECONFIG_MODE": "write-kubeconfig-mode",
    "K3S_KUBECONFIG_GROUP": "write-kubeconfig-group", "K3S_RESOLV_CONF": "resolv-conf", "K3S_DEBUG": "debug",
    "K3S_DATASTORE_ENDPOINT": "datastore-endpoint", "K3S_SELINUX": "selinux", "K3S_LB_SERVER_PORT": "lb-server-port",
    "K3S_SYSTEM_DEFAULT_REGISTRY": "system-default-registry",
}

DEFAULTS = {
    "https-listen-port": "6443", "data-dir": "/var/lib/rancher/k3s", "cluster-cidr": ["10.42.0.0/16"],
    "service-cidr": ["10.43.0.0/16"], "cluster-dns": ["10.43.0.10"], "cluster-domain": "cluster.local",
    "flannel-backend": "vxlan", "egress-selector-mode": "agent", "pause-image": "rancher/mirrored-pause:3.6",
    "etcd-snapshot-retention": "5", "etcd-snapshot-name": "etcd-snapshot", "secrets-encryption-provider": "aescbc",
}

#: What must be the same on every server.
CRITICAL = """agent-token cluster-cidr service-cidr cluster-dns cluster-domain disable-cloud-controller
disable-helm-controller disable-network-policy egress-selector-mode embedded-registry flannel-backend
flannel-external-ip flannel-ipv6-masq secrets-encryption secrets-encryption-provider supervisor-metrics""".split()
