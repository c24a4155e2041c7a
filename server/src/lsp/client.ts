/** What the server knows of its client: what it can do, which folders are open, and where things are to be kept. */
import { createHash } from 'node:crypto';
import type { InitializeParams } from 'vscode-languageserver/node';
import { z } from 'zod';
import type { AppOptions } from '../compose.ts';
import { type Language, languageOf } from './language.ts';

export interface Client {
  readonly rootUris: readonly string[];
  /** Stands for the first folder where the client names no workspace itself; `undefined` without a folder. */
  readonly workspaceId: string | undefined;
  readonly folders: Pick<AppOptions, 'dataDir' | 'modelsDir'>;
  /** What is said to the person is said in it. */
  readonly language: Language;
  readonly answersSettings: boolean;
  readonly registersForSettings: boolean;
  readonly refreshesLenses: boolean;
  readonly showsProgress: boolean;
  readonly readsMarkdown: boolean;
  /** Settings that a client without `workspace/configuration` has sent by itself. */
  readonly pushedSettings: unknown;
}

const initOptions = z.object({
  dataDir: z.string().optional(),
  modelsDir: z.string().optional(),
  locale: z.string().optional(),
});

export function clientOf(params: InitializeParams): Client {
  const { capabilities, initializationOptions, workspaceFolders } = params;
  const { workspace, window, textDocument } = capabilities;
  const rootUris =
    workspaceFolders?.map(({ uri }) => uri) ?? (params.rootUri == null ? [] : [params.rootUri]);
  const given = initOptions.safeParse(initializationOptions ?? {});
  const { dataDir, modelsDir, locale } = given.success ? given.data : {};
  return {
    rootUris,
    workspaceId: rootUris[0] === undefined ? undefined : shortHash(rootUris[0]),
    folders: {
      ...(dataDir === undefined ? {} : { dataDir }),
      ...(modelsDir === undefined ? {} : { modelsDir }),
    },
    language: languageOf(locale ?? params.locale),
    answersSettings: workspace?.configuration === true,
    registersForSettings: workspace?.didChangeConfiguration?.dynamicRegistration === true,
    refreshesLenses: workspace?.codeLens?.refreshSupport === true,
    showsProgress: window?.workDoneProgress === true,
    readsMarkdown: textDocument?.hover?.contentFormat?.includes('markdown') === true,
    pushedSettings: undefined,
  };
}

/** A path as a model may see it: inside the workspace, or the bare name of a file outside. */
export function pathIn(rootUris: readonly string[], uri: string): string {
  const root = rootUris.find((one) => uri.startsWith(one.endsWith('/') ? one : `${one}/`));
  const path = root === undefined ? (uri.split('/').at(-1) ?? '') : uri.slice(root.length);
  try {
    return decodeURIComponent(path.replace(/^\//, ''));
  } catch {
    return path;
  }
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
