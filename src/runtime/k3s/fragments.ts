import { INITIALIZED, STATE_DIR } from '../../machine/state-paths.js'
import { ASK_AS_ADMIN } from './ask-api.js'
import { logScript } from './diagnose.js'
import { ETCD_HEALTH } from './lost-majority.js'
import { OWN_PROGRAMS } from './own-programs.js'
import { K3S, STARTING } from './paths.js'

/**
 * Scripts that the probe runs beside its own, in the same round trip. Each prints what the names say; an absent k3s prints
 * nothing. Every call of k3s has a deadline: a server without quorum answers nothing at all.
 */
export function k3sFragments(): Record<string, string> {
  return {
    'k3s-version': `[ -x ${K3S.binary} ] && timeout 5 ${K3S.binary} --version 2>/dev/null | head -n 1`,
    'k3s-initialized': `[ -f ${INITIALIZED} ] && echo yes`,
    'k3s-api': `${ASK_AS_ADMIN}\n[ -x ${K3S.binary} ] && api /readyz`,
    'k3s-nodes': `${ASK_AS_ADMIN}\n[ -x ${K3S.binary} ] && api /api/v1/nodes`,
    'k3s-members': `${ASK_AS_ADMIN}\n[ -d ${K3S.dataDir}/server/db/etcd ] && [ -x ${K3S.binary} ] && api /db/info`,
    // A password that the cluster has refused is as good as none: the machine was installed anew under its old name.
    'k3s-node-password': `if [ -s /etc/rancher/node/password ]; then if [ ! -f ${INITIALIZED} ] && { ${logScript('k3s', 40)}; ${logScript('k3s-agent', 40)}; } | grep -q 'Node password rejected'; then echo refused; else echo kept; fi; fi`,
    // Values are written with or without quotes; an address needs neither spaces nor escapes.
    'k3s-server': `sed -n 's/^server: *"\\{0,1\\}\\([^" ]*\\).*/\\1/p' ${K3S.config} 2>/dev/null`,
    'k3s-token': `cat ${K3S.tokenFile} 2>/dev/null`,
    // With the machine's own address, as `kubectl` there uses it.
    'k3s-kubeconfig': `cat ${K3S.kubeconfig} 2>/dev/null`,
    'k3s-join-token': `cat ${K3S.dataDir}/server/token 2>/dev/null`,
    'k3s-datastore': `[ -d ${K3S.dataDir}/server/db/etcd ] && echo etcd; [ -f ${K3S.dataDir}/server/db/state.db ] && echo sqlite; :`,
    'k3s-etcd': ETCD_HEALTH,
    // Pods outlive the service: a cluster is stopped only when these have ended too.
    'k3s-pods': `${OWN_PROGRAMS}\nown_programs | grep -q . && echo running; :`,
    'k3s-registry-files': 'find /etc/rancher/k3s/registries.d -type f 2>/dev/null',
    'k3s-starting': `cat ${STARTING} 2>/dev/null`,
    // What a removal that was cut short may have left when the service is gone already.
    'k3s-remains': `ls -d ${STATE_DIR} /etc/rancher/k3s ${K3S.dataDir} /usr/local/bin/k3s*-uninstall.sh 2>/dev/null`,
  }
}
