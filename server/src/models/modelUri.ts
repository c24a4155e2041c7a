/**
 * Turns the registry's `hf:` and `https:` URIs into the address of one file. `hf:user/model/file.gguf#branch` needs no request;
 * `hf:user/model:QUANT` asks the hub which file has that quantization.
 */
import { z } from 'zod';
import { networkFetch } from './network.ts';

export interface ModelUriOptions {
  readonly signal?: AbortSignal;
  readonly endpoints?: { readonly huggingFace: string };
  readonly connectTimeoutMs?: number;
}

export type ModelUriResult =
  | { readonly kind: 'resolved'; readonly url: string }
  | { readonly kind: 'failed'; readonly why: string };

const manifestSchema = z.object({ ggufFile: z.object({ rfilename: z.string().min(1) }) });

const HUB = 'https://huggingface.co';

export async function resolveModelUri(
  uri: string,
  options: ModelUriOptions,
): Promise<ModelUriResult> {
  if (!uri.startsWith('hf:')) return directUrl(uri);
  const [path = '', branch = 'main'] = uri.slice(3).split('#');
  const [user, repository, ...file] = path.split('/').filter((part) => part !== '');
  if (user === undefined || repository === undefined) {
    return { kind: 'failed', why: 'expected hf:user/model:QUANT or hf:user/model/file.gguf' };
  }
  if (file.length > 0) return hubFile(user, repository, branch, file.join('/'), options);
  const [name = '', quantization = 'latest'] = repository.split(':');
  const fileName = await askHub(user, name, quantization, options);
  if (fileName.kind === 'failed') return fileName;
  return hubFile(user, name, branch, fileName.name, options);
}

/** A file without a hash must not come in clear text over a network; on this machine nobody can change it on the way. */
export function mayBeFetched(url: URL | null): url is URL {
  const loopback = url?.hostname === '127.0.0.1' || url?.hostname === 'localhost';
  return url?.protocol === 'https:' || (url?.protocol === 'http:' && loopback);
}

function directUrl(uri: string): ModelUriResult {
  const url = URL.parse(uri);
  return mayBeFetched(url)
    ? { kind: 'resolved', url: url.href }
    : { kind: 'failed', why: 'expected an hf: or https: URI' };
}

function hubFile(
  user: string,
  repository: string,
  branch: string,
  file: string,
  { endpoints }: ModelUriOptions,
): ModelUriResult {
  const path = [user, repository, 'resolve', branch, ...file.split('/')];
  return directUrl(`${hubOf(endpoints)}/${path.map(encodeURIComponent).join('/')}?download=true`);
}

function hubOf(endpoints: ModelUriOptions['endpoints']): string {
  return (endpoints?.huggingFace ?? HUB).replace(/\/+$/, '');
}

async function askHub(
  user: string,
  repository: string,
  quantization: string,
  { endpoints, signal, connectTimeoutMs = 10_000 }: ModelUriOptions,
): Promise<
  | { readonly kind: 'file'; readonly name: string }
  | { readonly kind: 'failed'; readonly why: string }
> {
  const path = ['v2', user, repository, 'manifests', quantization]
    .map(encodeURIComponent)
    .join('/');
  const timeout = AbortSignal.timeout(connectTimeoutMs);
  try {
    const response = await networkFetch(`${hubOf(endpoints)}/${path}`, {
      // The hub names a GGUF file only to clients that say they are of llama.cpp's family.
      headers: { 'user-agent': 'llama-cpp' },
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
    if (!response.ok) {
      await response.body?.cancel();
      return { kind: 'failed', why: `the hub answered with HTTP status ${response.status}` };
    }
    const manifest = manifestSchema.safeParse(await response.json());
    if (!manifest.success) return { kind: 'failed', why: 'the hub named no GGUF file' };
    return { kind: 'file', name: manifest.data.ggufFile.rfilename };
  } catch {
    return { kind: 'failed', why: 'the hub could not be reached' };
  }
}
