/** Finds settings in a workspace's file that only the user may set. VS Code ignores them there without a word. Pure. */

/** Names that the text of a settings file sets, of those given. Comments don't count. */
export function settingsNamed(text: string, names: readonly string[]): string[] {
  const code = text.replaceAll(/"(?:[^"\\\n]|\\.)*"|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (found) =>
    found.startsWith('"') ? found : ' ',
  );
  const set = new Set([...code.matchAll(/"([^"\\\n]+)"\s*:/g)].map(([, name]) => name));
  return names.filter((name) => set.has(name));
}

export interface SettingSchema {
  readonly scope?: string;
}

/** Settings that a workspace may not set, by the scopes of the manifest. */
export function userOnlySettings(properties: Readonly<Record<string, SettingSchema>>): string[] {
  return Object.entries(properties)
    .filter(([, { scope }]) => scope === 'application' || scope === 'machine')
    .map(([name]) => name);
}
