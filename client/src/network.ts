/**
 * What VS Code knows of the network, as the environment of the server: its proxy settings and whether certificates of the
 * system count. They are settings of the application or the machine, so no folder has a say. What is not set is left to the
 * environment that VS Code itself was started in. Certificates are always checked, whatever `http.proxyStrictSSL` says.
 */
import * as vscode from 'vscode';
import { environmentOf } from './networkEnvironment.ts';

const SECTION = 'http';

export function networkEnvironment(): Record<string, string> {
  const settings = vscode.workspace.getConfiguration(SECTION);
  return environmentOf({
    proxy: settings.get('proxy', ''),
    noProxy: settings.get('noProxy', []),
    proxySupport: settings.get('proxySupport', 'override'),
    systemCertificates: settings.get('systemCertificates', true),
  });
}

/** The server reads its environment once, so it has to be started anew when these change. */
export function onNetworkChanged(listener: () => void): vscode.Disposable {
  return vscode.workspace.onDidChangeConfiguration((change) => {
    const names = ['proxy', 'noProxy', 'proxySupport', 'systemCertificates'];
    if (names.some((name) => change.affectsConfiguration(`${SECTION}.${name}`))) listener();
  });
}
