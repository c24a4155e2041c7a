/** Which models play the three roles: those that the settings name, or the registry's defaults. */
import type { App } from '../../compose.ts';
import type { CloudModel, LocalModel, Model } from '../../core/types.ts';

export interface Roles {
  /** `undefined` where the role names a model that is not local. */
  readonly cheap: LocalModel | undefined;
  readonly escalation: CloudModel | undefined;
  readonly baseline: Model | undefined;
}

export function rolesOf(app: App): Roles {
  const { models, defaults } = app.catalogue.registry();
  const settings = app.settings();
  const find = (id: string) => models.find((model) => model.id === id);
  const cheap = find(settings.cheap ?? defaults.cheap);
  const escalation = find(settings.escalation ?? defaults.escalation);
  return {
    cheap: cheap?.provider === 'local' ? cheap : undefined,
    escalation:
      escalation === undefined || escalation.provider === 'local' ? undefined : escalation,
    baseline: find(settings.baseline ?? defaults.baseline),
  };
}
