/** A key as SecretStorage holds it: with the address that it belongs to. Pure. */

export interface StoredKey {
  readonly key: string;
  readonly baseUrl: string;
}

/** `null` for nothing stored and for anything that is not what this extension stores. */
export function parseStoredKey(text: string | undefined): StoredKey | null {
  if (text === undefined) return null;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return null;
    const { key, baseUrl } = value as Record<string, unknown>;
    return typeof key === 'string' && typeof baseUrl === 'string' ? { key, baseUrl } : null;
  } catch {
    return null;
  }
}
