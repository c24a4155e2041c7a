/** Whether a process asks for money under the limits that it heard of last. */
import { limitsOf } from '../../server/src/core/budget.ts';
import type { BudgetLimits, ReservationRequest } from '../../server/src/core/ports.ts';
import { type Settings, settingsSchema } from '../../server/src/core/schema.ts';
import type { Life } from './scheduler.ts';
import type { Limits } from './workload.ts';

export interface LimitsHeard {
  hears(life: Life, limits: Limits): void;
  areInForce(life: Life, request: ReservationRequest, limits: BudgetLimits): boolean;
}

export function createLimitsHeard(): LimitsHeard {
  const heard = new Map<Life, Settings>();
  return {
    hears: (life, limits) => void heard.set(life, settingsSchema.parse(limits)),
    areInForce(life, { sessionId, workspaceId }, limits) {
      const scope = {
        ...(sessionId === undefined ? {} : { sessionId }),
        ...(workspaceId === undefined ? {} : { workspaceId }),
      };
      const last = heard.get(life);
      return last !== undefined && JSON.stringify(limitsOf(last, scope)) === JSON.stringify(limits);
    },
  };
}
