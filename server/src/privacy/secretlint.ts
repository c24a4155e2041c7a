/**
 * The secretlint preset, without what would let the text under scan switch it off. Its rules are made once and read every text:
 * secretlint's own `lintSource` makes them anew for each, which costs more than looking for them in a short prompt.
 * `test/privacy/secretlint.test.ts` holds both against each other.
 */
import { rules as presetScanners } from '@secretlint/secretlint-rule-preset-recommend';
import { createSieve, type Marks } from './marks.ts';

type Rule = (typeof presetScanners)[number];
type Context = Parameters<Rule['create']>[0];
type Source = Parameters<NonNullable<ReturnType<Rule['create']>['file']>>[0];

const PREFIX = '@secretlint/secretlint-rule-';
/**
 * The first lets a comment in the scanned text switch the scan off. The second reads files of other endings only, which
 * `test/privacy/marks.test.ts` holds it to; without marks it would be asked of every text.
 */
const LEFT_OUT: ReadonlySet<string> = new Set([`${PREFIX}filter-comments`, `${PREFIX}gcp`]);

/**
 * What a text must hold for a rule to find anything in it, by the rule's name. A rule without marks reads every text. That
 * no pattern of these rules can match without its marks is proved in `test/privacy/marks.test.ts`.
 */
export const presetMarks: Readonly<Record<string, Marks>> = {
  aws: { exact: ['SECRET', 'secret', 'Secret'] },
  privatekey: { exact: ['-----BEGIN'] },
  npm: { exact: ['npm_'] },
  basicauth: { exact: ['://'] },
  slack: { exact: ['xox', 'xapp-', '://'] },
  sendgrid: { exact: ['SG.'] },
  shopify: { exact: ['shp'] },
  github: { exact: ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_', 'github_pat_'] },
  gitlab: { exact: ['glpat-'] },
  grafana: { exact: ['glc_', 'glsa_'] },
  openai: { exact: ['sk-'] },
  anthropic: { exact: ['sk-ant-api0'] },
  groq: { exact: ['gsk_'] },
  huggingface: { exact: ['hf_'] },
  linear: { exact: ['lin_api_'] },
  notion: { exact: ['ntn_'] },
  stripe: { exact: ['k_live_', 'k_test_'] },
  '1password': { exact: ['ops_'] },
  'database-connection-string': { exact: ['://'] },
  'hashicorp-vault': { exact: ['hvs.', 'hvb.', 'hvr.'] },
  vercel: { exact: ['vcp_', 'vci_', 'vca_', 'vcr_', 'vck_'] },
  databricks: { exact: ['dapi'] },
  docker: { exact: ['dckr_pat_'] },
  figma: { exact: ['figd_'] },
  cloudflare: { exact: ['cfk_', 'cfut_', 'cfat_'] },
  tailscale: { exact: ['tskey-'] },
};

interface Find {
  readonly rule: string;
  readonly start: number;
  readonly end: number;
}

/** What the text under scan holds so far; rules are not asynchronous, so one text is read at a time. */
let finds: Find[] = [];

const sieve = createSieve(
  presetScanners
    .filter(({ meta }) => !LEFT_OUT.has(meta.id) && readsText(meta))
    .map((rule) => {
      const name = rule.meta.id.replace(PREFIX, '');
      return { name, marks: presetMarks[name], file: rule.create(contextOf(name), {}).file };
    }),
);

function readsText({ supportedContentTypes }: Rule['meta']): boolean {
  return supportedContentTypes.some((type) => type === 'all' || type === 'text');
}

function contextOf(rule: string): Context {
  return {
    sharedOptions: {},
    // Nobody reads the messages, which would repeat the secrets.
    createTranslator: () => (messageId) => ({
      message: '',
      messageId: String(messageId),
      data: undefined,
    }),
    report({ range: [start, end] }) {
      finds.push({ rule, start, end });
    },
    // Nothing in a text may take a find back.
    ignore() {},
  };
}

/** Names of the rules that find something, in the order of the places. Throws where a rule does not read a text as the others do. */
export function presetRules(content: string): readonly string[] {
  const able = sieve(content);
  if (able.length === 0) return NOTHING;
  finds = [];
  const source = sourceOf(content);
  for (const { name, file } of able) {
    // A find of a later moment would be put down to another text.
    if (file?.(source) !== undefined) throw new Error(`expected ${name} to read a text at once`);
  }
  if (finds.length === 0) return NOTHING;
  const inOrder = finds.toSorted((a, b) => a.start - b.start || a.end - b.end);
  return [...new Set(inOrder.map(({ rule }) => rule))];
}

const NOTHING: readonly string[] = [];

/** What rules read of a text. None asks for lines and columns; one that did would end the scan, and the prompt stays here. */
function sourceOf(text: string): Source {
  const hasBOM = text.charCodeAt(0) === 0xfeff;
  return {
    hasBOM,
    content: hasBOM ? text.slice(1) : text,
    filePath: 'prompt.txt',
    physicalFilePath: undefined,
    contentType: 'text',
    ext: '.txt',
    getFilePath: () => 'prompt.txt',
    getPhysicalFilePath: () => undefined,
    locationToRange: noPlaces,
    rangeToLocation: noPlaces,
    positionToIndex: noPlaces,
    indexToPosition: noPlaces,
  };
}

function noPlaces(): never {
  throw new Error('expected a rule that reads the text alone, got one that asks for its lines');
}
