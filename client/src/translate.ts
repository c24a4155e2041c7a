/** The shape of `vscode.l10n.t`, so that pure views can be given it, or a plain stand-in in tests. */
export type Translate = (message: string, ...args: (string | number)[]) => string;
