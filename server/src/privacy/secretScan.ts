/** Looks for secrets in what would leave the machine: the secretlint preset and a few patterns it has no rule for. */
import { lintSource } from '@secretlint/core';
import { creator as preset } from '@secretlint/secretlint-rule-preset-recommend';
import type { PrivacyScan } from '../core/ports.ts';
import type { ContextPart, PrivacyFinding } from '../core/types.ts';

/** This rule lets a comment in the scanned text switch the scan off. A preset ignores `disabled`, so it is left out at the source. */
const DIRECTIVES = '@secretlint/secretlint-rule-filter-comments';

const strictPreset: typeof preset = {
  ...preset,
  create(context, options) {
    return preset.create(
      {
        ...context,
        registerRule(rule, defaults) {
          if (rule.meta.id !== DIRECTIVES) context.registerRule(rule, defaults);
        },
      },
      options,
    );
  },
};

const config = {
  rules: [{ id: '@secretlint/secretlint-rule-preset-recommend', rule: strictPreset }],
};

/** Every quantifier is bounded, so no input makes these slow. */
const addedRules: readonly { readonly rule: string; readonly pattern: RegExp }[] = [
  {
    rule: 'jwt',
    pattern: /\beyJ[\w-]{10,2000}\.eyJ[\w-]{10,4000}\.[\w-]{10,1000}/,
  },
  { rule: 'google-api-key', pattern: /\bAIza[\w-]{35}/ },
  {
    rule: 'password',
    pattern:
      /\b(?:password|passwd|pwd|secret|api[_-]?key)["']?\s{0,3}[:=]\s{0,3}["'][^"'\s]{6,200}["']/i,
  },
];

/** Files whose whole purpose is to hold secrets. */
const secretFile =
  /(?:^|[\\/])(?:\.env(?:\.[\w.-]+)?|id_(?:rsa|ed25519|ecdsa)|\.npmrc|\.netrc|credentials)$/i;

export function createSecretScan(): PrivacyScan {
  return {
    async scan(text, context) {
      const findings = [...context.flatMap(fileFinding), ...(await scanText(text, 'prompt'))];
      for (const part of context) {
        findings.push(...(await scanText(part.text, part.path ?? part.kind)));
      }
      return findings;
    },
  };
}

function fileFinding(part: ContextPart): PrivacyFinding[] {
  return part.path !== undefined && secretFile.test(part.path)
    ? [{ rule: 'secret-file', where: part.path }]
    : [];
}

async function scanText(content: string, where: string): Promise<PrivacyFinding[]> {
  const findings = addedRules
    .filter(({ pattern }) => pattern.test(content))
    .map(({ rule }) => ({ rule, where }));
  const { messages } = await lintSource({
    source: { filePath: 'prompt.txt', content, ext: '.txt', contentType: 'text' },
    options: { config, noPhysicFilePath: true, maskSecrets: true },
  });
  for (const { ruleId } of messages) {
    findings.push({ rule: ruleId.replace('@secretlint/secretlint-rule-', ''), where });
  }
  return findings;
}
