/** The secretlint preset, without what would let the text under scan switch it off. */
import { lintSource } from '@secretlint/core';
import { secretLintProfiler } from '@secretlint/profiler';
import { creator as preset } from '@secretlint/secretlint-rule-preset-recommend';

/** It would keep a mark of every rule of every scan for as long as the program runs, and take as long as the scan itself. */
secretLintProfiler.setEnabled(false);

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

/** Names of the rules that find something. */
export async function presetRules(content: string): Promise<string[]> {
  const { messages } = await lintSource({
    source: { filePath: 'prompt.txt', content, ext: '.txt', contentType: 'text' },
    options: { config, noPhysicFilePath: true, maskSecrets: true },
  });
  const rules = messages.map(({ ruleId }) => ruleId.replace('@secretlint/secretlint-rule-', ''));
  return [...new Set(rules)];
}
