/** The page's words in the editor's language: the shell carries the extension's bundle, English text is its own key. */

const bundle: Readonly<Record<string, string>> = readBundle();

/** `t('{0} of {1}', 3, 20)`; the English text is shown where no translation exists. */
export function t(text: string, ...values: readonly (string | number)[]): string {
  const template = bundle[text] ?? text;
  return template.replace(/\{(\d+)\}/g, (whole, index) => String(values[Number(index)] ?? whole));
}

/** `82 %`; a little is never shown as nothing. */
export function percent(share: number): string {
  if (share > 0 && share < 0.005) return '< 1 %';
  return `${Math.round(share * 100)} %`;
}

/** A score, a quality or a confidence as every surface shows it. */
export function fixed(value: number): string {
  return value.toFixed(2);
}

export function servedWord(served: 'local' | 'cloud' | 'cache' | 'none'): string {
  switch (served) {
    case 'local':
      return t('local');
    case 'cloud':
      return t('cloud');
    case 'cache':
      return t('cached');
    case 'none':
      return t('not answered');
  }
}

function readBundle(): Record<string, string> {
  try {
    const read: unknown = JSON.parse(document.body.dataset['strings'] ?? '{}');
    if (typeof read !== 'object' || read === null) return {};
    return Object.fromEntries(
      Object.entries(read).filter(
        (entry): entry is [string, string] => typeof entry[1] === 'string',
      ),
    );
  } catch {
    return {};
  }
}
