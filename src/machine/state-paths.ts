import { STATE_DIR } from '../cluster/state-dir.js'

export { STATE_DIR }
/** The content-addressed store. */
export const BLOB_DIR = `${STATE_DIR}/blobs/sha256`
/** For each blob that had to be copied: its digest, and inode, size and change time of the copy. */
export const COPY_DIR = `${STATE_DIR}/copies`
/** One line per started and finished step. */
export const JOURNAL = `${STATE_DIR}/journal`
/** airlift's record: what it made there, without secrets. */
export const RECORD = `${STATE_DIR}/cluster.json`
/** Exists once the node has been seen ready; before that, a failed first start may be begun anew. */
export const INITIALIZED = `${STATE_DIR}/initialized`
/** Where every node in a container has the volume with images of its cluster. */
export const IMAGES_DIR = `${STATE_DIR}/images`
/** Who works on the machine, or did last. */
export const LOCK = `${STATE_DIR}/lock`
/** {@link STATE_DIR} of a container where an engine shows it: in the data volume, since it knows no mounts of the inside. */
export const KEPT_STATE = '/var/lib/rancher/k3s/airlift/state'
/** {@link INITIALIZED} there. */
export const KEPT_INITIALIZED = `${KEPT_STATE}/initialized`
/** Where a node in a container has the certificates of `--ca`, by their number from 1. */
export const certificatePath = (number: number): string => `/etc/ssl/certs/airlift-${number}.pem`
