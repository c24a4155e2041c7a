/**
 * Secrets that the secretlint preset has no rule for, by their own form or by the name that they are given to. Every
 * quantifier is bounded, no match can begin inside another's run of characters, and values are taken whole (a lookahead
 * gives nothing back), so that no text makes these slow.
 */
import { createSieve, type Marks } from './marks.ts';

export interface SecretPattern {
  /** Its name on the wire and in reasons. */
  readonly rule: string;
  /** No match is without one of these; `test/privacy/marks.test.ts` proves it. */
  readonly marks: Marks;
  /** Global; group `value`, where there is one, is what has to look like a secret too. */
  readonly pattern: RegExp;
  readonly looksSecret?: (value: string) => boolean;
}

/** What stands for a secret in documentation and templates. */
const PLACEHOLDER =
  /^(?:[x*.•_-]+|<.*|\$.*|%.*|\{.*|\[.*|.*(?:example|placeholder|changeme|change[_-]me|replace|redacted|dummy|your[_-]|[_-]here|insert).*|(?:my|your|the|a|an|some|test|fake|super)?[_-]?(?:user(?:name)?|pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|key|credentials?|value|string|none|null|undefined|true|false|test|foo|bar|abc|root|admin|guest|12345\d*)+(?:[_-]?(?:name|key|value|string|hash|id|field|input|\d{1,3}))?)$/i;

/** Names of types and functions that stand where a value could. */
const CODE_WORD =
  /^(?:(?:[Bb]ig)?(?:[Uu]?[Ii]nt|[Ff]loat)\d+(?:Clamped)?(?:Array)?|utf-?\d+|UTF-?\d+|[Ss][Hh][Aa]-?\d+|base-?\d+|md5|MD5|[A-Z][A-Z\d]*(?:_[A-Z\d]+)+|[a-z\d]+(?:_(?:[a-z]+\d?|\d{1,2}))+|[A-Za-z]?[a-z]+(?:[A-Z][a-z]+)+\d?)$/;

function isRandom(value: string): boolean {
  const mixed = /\d/.test(value) && /[a-z]/i.test(value);
  // Long tokens without a single digit happen; words written together change their case seldom.
  const jumbled = value.length >= 20 && (value.match(/[a-z][A-Z]/g)?.length ?? 0) >= 5;
  return (mixed || jumbled) && !PLACEHOLDER.test(value) && !CODE_WORD.test(value);
}

/** A password that a person thought of may be words; it is still no placeholder and no single plain word. */
function isPassword(value: string): boolean {
  return (
    /[^a-z]/i.test(value.slice(1)) &&
    !PLACEHOLDER.test(value) &&
    !/^[\w.]*[./](?:\w|$)/.test(value) &&
    !/^[A-Za-z]+(?:[A-Z][a-z]+)*$/.test(value)
  );
}

const PASSWORD_NAMES = ['password', 'passwd', 'passphrase', 'passwort', 'kennwort', 'pwd'];
const PASSWORD_MARKS = { anyCase: PASSWORD_NAMES };
const PASSWORD_NAME = `(?:${PASSWORD_NAMES.join('|')})`;
const SECRET_NAME =
  '(?:secret|token|api[_-]?key|access[_-]?key(?:[_-]?id)?|auth[_-]?key|account[_-]?key|private[_-]?key|signing[_-]?key|encryption[_-]?key|credentials?|connection[_-]?string)';
const SECRET_MARKS = { anyCase: ['secret', 'token', 'key', 'credential', 'connection'] };
/** `"name": "`, `name = '`, `name=>"`, `NAME="`, with something before the name. */
const ASSIGNED = '["\']?\\s{0,3}(?::|=>?|:=)\\s{0,3}';

export const secretPatterns: readonly SecretPattern[] = [
  {
    rule: 'jwt',
    marks: { exact: ['eyJ'] },
    pattern: /(?<![\w-])eyJ[\w-]{10,2000}\.eyJ[\w-]{10,4000}\.[\w-]{10,1000}/g,
  },
  { rule: 'google-api-key', marks: { exact: ['AIza'] }, pattern: /\bAIza[\w-]{35}/g },
  { rule: 'google-client-secret', marks: { exact: ['GOCSPX-'] }, pattern: /\bGOCSPX-[\w-]{28}/g },
  {
    rule: 'azure-account-key',
    marks: { exact: ['AccountKey='] },
    pattern: /\bAccountKey=[A-Za-z\d+/]{80,90}={0,2}/g,
  },
  {
    rule: 'azure-client-secret',
    marks: { exact: ['8Q~'] },
    pattern: /\b[\w~.-]{3}8Q~[\w~.-]{31,34}/g,
  },
  {
    rule: 'aws-access-key',
    marks: { exact: ['AKIA', 'ASIA', 'ABIA', 'ACCA'] },
    pattern: /\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b/g,
  },
  { rule: 'twilio-key', marks: { exact: ['SK'] }, pattern: /\bSK[\da-f]{32}\b/g },
  {
    rule: 'age-key',
    marks: { exact: ['AGE-SECRET-KEY-1'] },
    pattern: /\bAGE-SECRET-KEY-1[A-Z\d]{58}\b/g,
  },
  { rule: 'telegram-token', marks: { exact: [':AA'] }, pattern: /\b\d{8,10}:AA[\w-]{33}/g },
  {
    rule: 'discord-webhook',
    marks: { exact: ['api/webhooks/'] },
    pattern: /discord(?:app)?\.com\/api\/webhooks\/\d{15,20}\/[\w-]{60,70}/g,
  },
  {
    rule: 'slack-webhook',
    marks: { exact: ['hooks.slack.com'] },
    pattern: /hooks\.slack\.com\/(?:services|workflows)\/[A-Z\d]{8,12}\/[A-Z\d]{8,12}\/\w{20,30}/g,
  },
  { rule: 'digitalocean-token', marks: { exact: ['_v1_'] }, pattern: /\bdo[opr]_v1_[\da-f]{64}/g },
  { rule: 'sendgrid-key', marks: { exact: ['SG.'] }, pattern: /\bSG\.[\w-]{20,24}\.[\w-]{39,50}/g },
  { rule: 'huggingface-token', marks: { exact: ['hf_'] }, pattern: /\bhf_[A-Za-z\d]{30,40}\b/g },
  {
    rule: 'mailgun-key',
    marks: { exact: ['key-'] },
    pattern: /(?<![\w-])key-[\da-f]{32}(?![\w-])/g,
  },
  { rule: 'pypi-token', marks: { exact: ['pypi-AgEI'] }, pattern: /\bpypi-AgEI[\w-]{50,250}/g },
  {
    rule: 'gitlab-token',
    marks: { exact: ['glpat-', 'gldt-', 'glrt-', 'glcbt-', 'glptt-', 'glft-', 'glsoat-'] },
    pattern: /\bgl(?:pat|dt|rt|cbt|ptt|ft|soat)-[\w-]{20,60}/g,
  },
  {
    rule: 'stripe-key',
    marks: { exact: ['k_live_', 'k_test_'] },
    pattern: /\b[rs]k_(?:live|test)_[A-Za-z\d]{20,250}/g,
  },
  {
    rule: 'openai-key',
    marks: { exact: ['T3BlbkFJ'] },
    pattern: /(?<![\w-])sk-(?:proj-|svcacct-|admin-)?[\w-]{20,120}T3BlbkFJ[\w-]{20,120}/g,
  },
  {
    rule: 'npm-token',
    marks: { exact: ['npm_', ':_auth'] },
    pattern: /(?:\bnpm_[A-Za-z\d]{36}\b|:_auth(?:Token)?=[\w+/=-]{16,200})/g,
  },
  {
    rule: 'private-key',
    marks: { exact: ['-----BEGIN'] },
    // The lines of a key may be quoted, escaped, part of a diff or of a comment.
    pattern:
      /-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----(?:[\s\\nr+>|*#"',/-]{0,60}|[\s\S]{0,200}?\n[\s+>|*#/-]{0,20})[A-Za-z\d+/=]{40}/g,
  },
  {
    rule: 'url-password',
    marks: { exact: ['://'] },
    pattern: /:\/\/[^\s:/@"'`<>${}()]{0,100}:(?<value>[^\s/@"'`<>${}()]{4,200})@[\w[]/g,
    looksSecret: (value) => !PLACEHOLDER.test(value),
  },
  {
    rule: 'connection-password',
    marks: { anyCase: ['password', 'pwd'] },
    pattern: /;\s{0,3}(?:password|pwd)\s{0,3}=\s{0,3}(?<value>[^;\s"'<>${}]{6,200})(?=[;"'\s]|$)/gi,
    looksSecret: isPassword,
  },
  {
    rule: 'authorization',
    marks: { anyCase: ['authorization'] },
    pattern:
      /\bauthorization["']?\s{0,3}[:=,]\s{0,3}["'`]?(?:bearer|basic|token)\s{1,3}(?<value>[\w+/=.~-]{16,4000})/gi,
    looksSecret: isRandom,
  },
  {
    rule: 'docker-login',
    marks: { exact: ['"auth"'] },
    pattern: /"auth"\s{0,3}:\s{0,3}"(?<value>[A-Za-z\d+/]{12,200}={0,2})"/g,
    looksSecret: isRandom,
  },
  {
    rule: 'password',
    marks: PASSWORD_MARKS,
    pattern: new RegExp(
      `${PASSWORD_NAME}${ASSIGNED}(?<quote>["'\`])(?<value>[^"'\`\\s]{6,200})\\k<quote>`,
      'gi',
    ),
    looksSecret: isPassword,
  },
  {
    rule: 'secret',
    marks: SECRET_MARKS,
    pattern: new RegExp(
      `${SECRET_NAME}${ASSIGNED}(?<quote>["'\`])(?<value>[^"'\`\\s]{12,400})\\k<quote>`,
      'gi',
    ),
    looksSecret: isRandom,
  },
  {
    rule: 'password',
    marks: { anyCase: [...PASSWORD_NAMES, 'networkcredential', 'auth'] },
    // Handed over: `setPassword('…')`, `.password("…")`, `NetworkCredential("app", "…")`, `auth=('app', '…')`.
    pattern: new RegExp(
      `(?:${PASSWORD_NAME}|NetworkCredential\\s{0,2}\\(\\s{0,2}["'][^"'\\s]{1,60}["'],|auth\\s{0,2}=\\s{0,2}\\(\\s{0,2}["'][^"'\\s]{1,60}["'],)\\s{0,2}\\(?\\s{0,2}(?<quote>["'])(?<value>[^"'\\s]{6,200})\\k<quote>\\s{0,2}\\)`,
      'gi',
    ),
    looksSecret: isPassword,
  },
  {
    rule: 'password',
    marks: {
      exact: ['--pass', '--token', '--secret', '--api', '--access-token', 'sshpass', 'curl '],
    },
    // On a command line: `--password X`, `--token=X`, `sshpass -p X`, `curl -u app:X`.
    pattern:
      /(?:--(?:password|passwd|pass|token|secret|api-?key|access-token)[= ]|\bsshpass -p ?|\bcurl [^\n]{0,80} ?(?:-u|--user) ?["']?[\w.@-]{1,60}:)["']?(?<value>[^\s"'`<>${}()[\]]{6,200})/g,
    looksSecret: isRandom,
  },
  {
    rule: 'url-secret',
    marks: { anyCase: ['key=', 'token=', 'secret=', 'sig=', 'password='] },
    pattern:
      /[?&](?:api[_-]?key|access[_-]?token|auth[_-]?token|token|secret|sig|password|key)=(?<value>[\w%+/.~-]{16,400})/gi,
    looksSecret: isRandom,
  },
  {
    rule: 'password',
    marks: PASSWORD_MARKS,
    // Without quotes: an environment file, YAML, a properties file.
    pattern: new RegExp(
      `${PASSWORD_NAME}[ \\t]{0,3}[:=][ \\t]{0,3}(?=(?<value>[^\\s"'\`(){}[\\],;<>$.]{6,200}))\\k<value>[ \\t\\r]{0,3}$`,
      'gim',
    ),
    looksSecret: isRandom,
  },
  {
    rule: 'secret',
    marks: SECRET_MARKS,
    pattern: new RegExp(
      `${SECRET_NAME}[ \\t]{0,3}[:=][ \\t]{0,3}(?=(?<value>[\\w+/=~-]{16,200}))\\k<value>[ \\t\\r]{0,3}$`,
      'gim',
    ),
    looksSecret: isRandom,
  },
];

const sieve = createSieve(secretPatterns);

/** The rules that find something in a text, each once. */
export function matchedRules(text: string): string[] {
  const rules = new Set<string>();
  for (const { rule, pattern, looksSecret } of sieve(text)) {
    if (rules.has(rule)) continue;
    for (const { groups } of text.matchAll(pattern)) {
      if (looksSecret !== undefined && !looksSecret(groups?.['value'] ?? '')) continue;
      rules.add(rule);
      break;
    }
  }
  return [...rules];
}
