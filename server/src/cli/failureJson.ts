/** A failure as `--json` prints it: the error of a REST reply, field by field, and a test compares the two. */
import type { Failure } from '../core/errors.ts';
import { dollars } from '../core/price.ts';
import { type Reason, reasonText } from '../core/reason.ts';
import { sentenceOf } from '../core/reply.ts';
import type { NanoUsd, Registry } from '../core/types.ts';

export function failureJson(
  failed: Failure,
  reason: Reason | undefined,
  costNanoUsd: NanoUsd,
  registry: Registry | undefined,
): Readonly<Record<string, unknown>> {
  return {
    error: {
      code: failed.code,
      message: failed.message,
      path: null,
      ...(reason !== undefined &&
        registry !== undefined && {
          route_reason: reasonText(reason),
          reason: sentenceOf(reason, registry),
        }),
      cost_usd: dollars(costNanoUsd),
    },
  };
}
