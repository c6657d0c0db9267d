/**
 * Where airlift keeps what it must remember on a machine, and in a container the images of the rootfs, too. Scripts and templates
 * of `rootfs/` name it as well.
 */
export const STATE_DIR = '/var/lib/airlift'
