/** A log channel that keeps nothing, for the language client's trace: traced messages hold prompts and the key. */
import * as vscode from 'vscode';

export function quietChannel(): vscode.LogOutputChannel {
  const nothing = () => undefined;
  return {
    name: 'quiet',
    logLevel: vscode.LogLevel.Off,
    onDidChangeLogLevel: () => new vscode.Disposable(nothing),
    trace: nothing,
    debug: nothing,
    info: nothing,
    warn: nothing,
    error: nothing,
    append: nothing,
    appendLine: nothing,
    replace: nothing,
    clear: nothing,
    show: nothing,
    hide: nothing,
    dispose: nothing,
  };
}
