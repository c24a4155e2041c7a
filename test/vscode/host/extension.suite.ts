/** The extension as other code in the host meets it: commands, settings and the language features of the server. */
import * as assert from 'node:assert/strict';
import * as vscode from 'vscode';

const ID = 'cost-aware-router.cost-aware-router';

interface Manifest {
  readonly contributes: { readonly commands: readonly { readonly command: string }[] };
}

async function until<T>(
  what: string,
  ask: () => Thenable<T>,
  isThere: (value: T) => boolean,
): Promise<T> {
  const deadline = Date.now() + 120_000;
  for (;;) {
    const value = await ask();
    if (isThere(value)) return value;
    if (Date.now() > deadline) throw new Error(`expected ${what}, got ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function open(name: string): Promise<vscode.TextEditor> {
  const [file] = await vscode.workspace.findFiles(`**/${name}`);
  assert.ok(file, `${name} is in the workspace`);
  return await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(file));
}

function lensesOf(uri: vscode.Uri): Thenable<vscode.CodeLens[]> {
  return vscode.commands.executeCommand('vscode.executeCodeLensProvider', uri, 20);
}

describe('the extension', () => {
  const extension = vscode.extensions.getExtension(ID);
  if (extension === undefined) throw new Error(`expected the extension ${ID}, found none`);

  before(async () => {
    await extension.activate();
  });

  it('has a handler for every command it contributes', async () => {
    const { contributes }: Manifest = extension.packageJSON;
    const registered = new Set(await vscode.commands.getCommands(true));
    const missing = contributes.commands.filter(({ command }) => !registered.has(command));
    assert.deepEqual(missing, []);
    assert.ok(contributes.commands.length > 15);
  });

  it('keeps money and keys out of the reach of a workspace', async () => {
    const settings = vscode.workspace.getConfiguration('costAwareRouter');
    assert.equal(settings.get('budget.monthlyUsd'), 20);
    for (const [name, value] of [
      ['budget.monthlyUsd', 1000],
      ['budget.atLimit', 'ask'],
      ['openai.baseUrl', 'http://127.0.0.1:1/v1'],
    ] as const) {
      await assert.rejects(
        async () => settings.update(name, value, vscode.ConfigurationTarget.Workspace),
        name,
      );
    }
  });

  it('offers a lens on every function where that is set', async () => {
    const settings = vscode.workspace.getConfiguration('costAwareRouter');
    const { document } = await open('retry.ts');
    await settings.update('lens', 'functions', vscode.ConfigurationTarget.Global);
    try {
      const lenses = await until(
        'two lenses',
        () => lensesOf(document.uri),
        (all) => all.length > 1,
      );
      const names = lenses.map(({ command }) => command?.command);
      assert.ok(
        names.every((name) => name === 'costAwareRouter.explain'),
        names.join(),
      );
      assert.deepEqual(
        lenses.map(({ range }) => range.start.line),
        [1, 14],
      );
    } finally {
      await settings.update('lens', undefined, vscode.ConfigurationTarget.Global);
    }
  });

  it('offers four actions on a selection', async () => {
    const { document } = await open('inventory.py');
    const range = new vscode.Range(11, 0, 13, 31);
    const actions = await until(
      'four actions',
      () =>
        vscode.commands.executeCommand<vscode.CodeAction[]>(
          'vscode.executeCodeActionProvider',
          document.uri,
          range,
        ),
      (found) => ours(found).length === 4,
    );
    assert.deepEqual(ours(actions).sort(), [
      'costAwareRouter.document',
      'costAwareRouter.explain',
      'costAwareRouter.findProblems',
      'costAwareRouter.writeTest',
    ]);
  });

  it('answers again after its server was restarted', async () => {
    const settings = vscode.workspace.getConfiguration('costAwareRouter');
    await vscode.commands.executeCommand('costAwareRouter.restartServer');
    const { document } = await open('retry.ts');
    await settings.update('lens', 'functions', vscode.ConfigurationTarget.Global);
    await until(
      'two lenses',
      () => lensesOf(document.uri),
      (all) => all.length > 1,
    );
    await settings.update('lens', undefined, vscode.ConfigurationTarget.Global);
  });
});

function ours(actions: readonly vscode.CodeAction[]): string[] {
  return actions
    .map(({ command }) => command?.command ?? '')
    .filter((name) => name.startsWith('costAwareRouter.'));
}
