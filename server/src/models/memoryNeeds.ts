/** What a model and its contexts take of memory: estimated before it is loaded, so that one that does not fit is refused. */
import type { GgufInsights, Llama } from 'node-llama-cpp';
import { type Failure, failure } from '../core/errors.ts';
import type { HostModel, HostSettings } from './hostProtocol.ts';

/** Memory that is left to everything else on the machine. */
const SPARE_BYTES = 256 * 1024 * 1024;
const FEW_SEQUENCES = 2;
const MANY_SEQUENCES = 4;
/** What the contexts of many sequences may take together. */
const MANY_SEQUENCES_BYTES = 512 * 1024 * 1024;

/** Each sequence has a context of its own, so many are for models whose contexts are small. */
export async function sequencesOf(
  insights: GgufInsights,
  contextSize: number,
  spec: HostModel,
  llama: Llama,
  settings: HostSettings,
): Promise<number> {
  if (settings.sequences !== 'fitting') return settings.sequences;
  if (llama.gpu !== false) return FEW_SEQUENCES;
  const contexts = await insights.estimateContextResourceRequirementsV2({
    contextSize,
    modelGpuLayers: 0,
    sequences: MANY_SEQUENCES,
  });
  if (contexts.cpuRam > MANY_SEQUENCES_BYTES) return FEW_SEQUENCES;
  const refusal = await memoryRefusal(insights, contextSize, MANY_SEQUENCES, spec, settings);
  return refusal === undefined ? MANY_SEQUENCES : FEW_SEQUENCES;
}

export async function memoryRefusal(
  insights: GgufInsights,
  contextSize: number,
  sequences: number,
  spec: HostModel,
  { maxMemoryBytes }: HostSettings,
): Promise<Failure | undefined> {
  const [weights, contexts] = await Promise.all([
    insights.estimateModelResourceRequirementsV2({ gpuLayers: 0 }),
    insights.estimateContextResourceRequirementsV2({ contextSize, modelGpuLayers: 0, sequences }),
  ]);
  const needed = weights.cpuRam + contexts.cpuRam;
  const free = Math.max(0, process.availableMemory() - SPARE_BYTES);
  const allowed = Math.min(free, maxMemoryBytes ?? free);
  if (needed <= allowed) return undefined;
  return failure(
    'model_too_big',
    `expected ${megabytes(needed)} of memory for ${spec.id}, ${megabytes(allowed)} are free; choose a smaller model or context window`,
  );
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6)} MB`;
}
