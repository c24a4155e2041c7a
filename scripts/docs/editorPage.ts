// Settings and commands of the extension, from its manifest and the English texts.
import { code, type Page, page, prose, table } from './markdown.ts';

interface Setting {
  readonly type: string | readonly string[];
  readonly default: unknown;
  readonly scope: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly markdownDescription: string;
  readonly enum?: readonly string[];
  readonly enumItemLabels?: readonly string[];
  readonly markdownEnumDescriptions?: readonly string[];
}

export interface Manifest {
  readonly contributes: {
    readonly configuration: readonly {
      readonly title: string;
      readonly properties: Readonly<Record<string, Setting>>;
    }[];
    readonly commands: readonly {
      readonly command: string;
      readonly title: string;
      readonly category?: string;
    }[];
  };
}

/** By their keys, without the percent signs that the manifest has around them. */
export type Texts = Readonly<Record<string, string>>;

/** https://code.visualstudio.com/api/references/contribution-points#contributes.configuration */
const scopes: Readonly<Record<string, string>> = {
  application: 'user settings only',
  machine: "user or remote settings; not a workspace's",
  window: 'user, remote or workspace settings',
  resource: 'user, remote, workspace or folder settings',
};

export function editorPage(manifest: Manifest, texts: Texts): Page {
  const { configuration, commands } = manifest.contributes;
  const groups = configuration.map(({ title, properties }) =>
    [
      `### ${textOf(title, texts)}`,
      ...Object.entries(properties).map(([name, setting]) => settingText(name, setting, texts)),
    ].join('\n\n'),
  );
  const rows = commands.map(({ command, title, category }) => [
    [category, title].flatMap((each) => (each === undefined ? [] : textOf(each, texts))).join(': '),
    code(command),
  ]);
  return page('reference/vscode.md', 'VS Code: settings and commands', 'the manifest', [
    '## Settings',
    'A setting that a workspace may not have is ignored there, so that nobody else’s folder can move your money, keys or paths.',
    ...groups,
    '## Commands',
    table(['in the command palette', 'for keys and tasks'], rows),
  ]);
}

function settingText(name: string, setting: Setting, texts: Texts): string {
  const choices = (setting.enum ?? []).map((value, index) => {
    const said = [setting.enumItemLabels, setting.markdownEnumDescriptions].flatMap(
      (list) => list?.[index] ?? [],
    );
    return `- ${code(value)}: ${said.map((each) => described(textOf(each, texts))).join('. ')}`;
  });
  const facts = [
    ['type', [setting.type].flat().map(code).join(' or ') + rangeOf(setting)],
    ['default', code(JSON.stringify(setting.default))],
    ['where', scopeText(name, setting)],
  ];
  return [
    `#### ${code(name)}`,
    described(textOf(setting.markdownDescription, texts)),
    ...(choices.length === 0 ? [] : [choices.join('\n')]),
    table(['', ''], facts),
  ].join('\n\n');
}

function rangeOf({ minimum, maximum }: Setting): string {
  if (minimum === undefined && maximum === undefined) return '';
  if (maximum === undefined) return `, ${minimum} or more`;
  return minimum === undefined ? `, at most ${maximum}` : `, ${minimum} to ${maximum}`;
}

function scopeText(name: string, { scope }: Setting): string {
  const said = scopes[scope];
  if (said === undefined) {
    throw new Error(
      `expected a scope out of ${Object.keys(scopes).join(', ')}, got ${scope} of ${name}`,
    );
  }
  return `${code(scope)}: ${said}`;
}

function textOf(key: string, texts: Texts): string {
  if (!key.startsWith('%')) return key;
  const text = texts[key.slice(1, -1)];
  if (text === undefined) throw new Error(`expected a text for ${key} in package.nls.json`);
  return text;
}

/** A page has no commands to run and no settings to open. */
function described(text: string): string {
  return prose(
    text
      .replaceAll(/`#([\w.]+)#`/g, (_, name: string) => code(name))
      .replaceAll(/\s*\[[^\]]*\]\(command:[^)]*\)/g, ''),
  );
}
