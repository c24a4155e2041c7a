/**
 * The HTML shells of the webview pages: an empty body, one script with a nonce (its nonce holds for what it loads later), one style sheet, and a policy that forbids
 * everything else. Texts travel as data in an attribute, so that no script is ever written inline.
 */
import { randomBytes } from 'node:crypto';

export type PageName = 'dashboard' | 'answers';

/** Segments below the extension's folder that a page may load from: give it as the only `localResourceRoots`. */
export const WEBVIEW_ROOT = ['dist', 'webview'] as const;

export interface ShellOptions {
  readonly page: PageName;
  /** `webview.cspSource`. */
  readonly cspSource: string;
  /** `webview.asWebviewUri` of a file below `WEBVIEW_ROOT`. */
  readonly uriOf: (fileName: string) => string;
  readonly title: string;
  /** `vscode.env.language`. */
  readonly language: string;
  /** `vscode.l10n.bundle`: English text to translated text. */
  readonly strings: Readonly<Record<string, string>>;
  /** A fixed nonce for tests. @default random */
  readonly nonce?: string;
}

export function pageHtml(options: ShellOptions): string {
  const nonce = options.nonce ?? randomBytes(18).toString('base64url');
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src ${options.cspSource}`,
    `font-src ${options.cspSource}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return `<!DOCTYPE html>
<html lang="${escaped(options.language)}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escaped(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(options.title)}</title>
<link rel="stylesheet" href="${escaped(options.uriOf(`${options.page}.css`))}">
</head>
<body data-page="${options.page}" data-strings="${escaped(JSON.stringify(options.strings))}">
<main id="page"></main>
<script type="module" nonce="${nonce}" src="${escaped(options.uriOf(`${options.page}.js`))}"></script>
</body>
</html>
`;
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;');
}
