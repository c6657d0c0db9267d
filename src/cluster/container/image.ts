import type { OptionProblem } from './option-problem.js'

// The grammar of distribution/reference, without its lengths.
const REFERENCE =
  /^(?:[A-Za-z0-9][A-Za-z0-9.-]*(?::\d{1,5})?\/|\[[\da-fA-F:]+\](?::\d{1,5})?\/)?[a-z0-9]+(?:(?:\.|_{1,2}|-+|\/)[a-z0-9]+)*(?::\w[\w.-]{0,127})?(?:@sha256:[a-f0-9]{64})?$/
const ID = /^sha256:[a-f0-9]{64}$/

/** Checks `--image`. k3d's words for channels are refused with what there is instead: they need the internet to be resolved. */
export function checkImage(image: string): OptionProblem | undefined {
  if (image === 'latest' || image === 'stable' || /^\+v?\d/.test(image)) {
    return {
      message: `"${image}" is a channel of releases, not an image`,
      hint: 'name the release: --version v1.33.1+k3s1, or an image: --image rancher/k3s:v1.33.1-k3s1',
    }
  }
  if (ID.test(image) || (image.length <= 512 && REFERENCE.test(image))) return undefined
  return {
    message: `"${image}" is not the name of an image`,
    hint: 'write NAME[:TAG], such as rancher/k3s:v1.33.1-k3s1',
  }
}
