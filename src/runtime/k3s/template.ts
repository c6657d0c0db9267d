import { AirliftError } from '../../core/errors.js'

/**
 * Fills `{{name}}` in a template of the rootfs. `{{killall}}` is the body of that script, so that uninstalling works even
 * where a half-done installation left no script behind; `{{mounts}}` is what both need. @throws AirliftError E_BUNDLE_INVALID when the template is missing
 */
export function fillTemplate(
  templates: Readonly<Record<string, string>>,
  name: string,
  values: Readonly<Record<string, string>> = {},
): string {
  const text = templates[`templates/${name}`]
  if (text === undefined) {
    throw new AirliftError('E_BUNDLE_INVALID', `the rootfs lacks the template "${name}"`, {
      hint: 'build it again with this version of airlift: airlift rootfs build',
    })
  }
  return text.replace(/\{\{(\w+)\}\}/g, (whole, key: string) => {
    if (key === 'killall') return killallScript(templates)
    if (key === 'mounts') return fillTemplate(templates, 'k3s-mounts.sh').trimEnd()
    return values[key] ?? whole
  })
}

/** The script that ends k3s and its pods, in a subshell: its `exit` must end only itself. */
export function killallScript(templates: Readonly<Record<string, string>>): string {
  return `(\n${fillTemplate(templates, 'k3s-killall.sh').replace(/^#!.*\n/, '')})`
}
