/** Asks the client for the settings, of the window and of every workspace folder, or takes those that it has sent by itself. */
import type { Connection } from 'vscode-languageserver/node';
import { SETTINGS_SECTION } from '../protocol.ts';
import type { Client } from './client.ts';
import { type EditorSettings, editorSettings } from './settings.ts';

/** A client that does not answer must not keep the server from starting with its defaults. */
const PATIENCE_MS = 3000;

const FOLDER_SECTIONS = ['workspaceBudget', 'workspacePrivacy'] as const;

/** `undefined` when the client could not be asked: what was in force stays. */
export async function pullSettings(
  connection: Connection,
  client: Client,
  onProblem: (message: string) => void,
): Promise<EditorSettings | undefined> {
  if (!client.answersSettings) {
    return editorSettings(sectionOf(client.pushedSettings), [], client.language.t);
  }
  try {
    const [section, ...perFolder] = await inTime(
      connection.workspace.getConfiguration([
        { section: SETTINGS_SECTION },
        ...client.rootUris.flatMap((scopeUri) =>
          FOLDER_SECTIONS.map((name) => ({ scopeUri, section: `${SETTINGS_SECTION}.${name}` })),
        ),
      ]) as Promise<unknown[]>,
    );
    const folders = client.rootUris.map((_uri, at) => ({
      budget: perFolder[2 * at],
      privacy: perFolder[2 * at + 1],
    }));
    return editorSettings(section, folders, client.language.t);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    onProblem(`The settings could not be read, so those before stay in force: ${why}`);
    return undefined;
  }
}

/** Some clients send all their settings, some only this section. */
function sectionOf(settings: unknown): unknown {
  if (typeof settings !== 'object' || settings === null) return undefined;
  return Object.hasOwn(settings, SETTINGS_SECTION)
    ? (settings as Record<string, unknown>)[SETTINGS_SECTION]
    : settings;
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`no answer in ${PATIENCE_MS / 1000} s`)),
    PATIENCE_MS,
  );
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
