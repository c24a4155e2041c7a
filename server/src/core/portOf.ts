/** Through which port a model answers. */
import type { RouterPorts } from './ports.ts';
import type { Model } from './types.ts';

type ModelPorts = Pick<RouterPorts, 'local' | 'cloud'>;

export function portOf<P extends ModelPorts>(model: Model, ports: P): P['local'] | P['cloud'] {
  return model.provider === 'local' ? ports.local : ports.cloud;
}
