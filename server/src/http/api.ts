/**
 * The REST edge as one function from a Request to a Response: who may ask, how much, what, and the reply.
 * It knows no socket; serveHttp.ts lends it one.
 */
import { OpenAPIHono } from '@hono/zod-openapi';
import { HTTPException } from 'hono/http-exception';
import { methodNotAllowed } from 'hono/method-not-allowed';
import type { RouterPorts } from '../core/ports.ts';
import type { Router } from '../core/router.ts';
import type { Settings } from '../core/schema.ts';
import { spendReplyOf } from '../core/spendReply.ts';
import { hostProblem, LOOPBACK_HOSTS, tokenProblem } from './access.ts';
import { ownEvents } from './answerEvents.ts';
import { docsPage } from './docsPage.ts';
import { generate, refusalOf } from './generate.ts';
import { type GenerateRequest, lengthProblem, promptOf } from './generateRequest.ts';
import { legacyPrompt, legacyReplyOf } from './legacyRoute.ts';
import {
  type ApiLimits,
  createMeter,
  createSlots,
  DEFAULT_LIMITS,
  nestingProblem,
  readBody,
  tooBusy,
  tooMany,
} from './limits.ts';
import { modelsOf, type Roles } from './moneyReplies.ts';
import { addOpenaiCalls, OPENAI_ANSWERS } from './openai/calls.ts';
import { openaiProblemResponse } from './openai/problems.ts';
import { internalProblem, type Problem, problemOfIssues, problemResponse } from './problems.ts';
import type { RequestState } from './requestState.ts';
import { routes } from './routes.ts';
import { jsonReply } from './wholeReply.ts';

export interface ApiDeps {
  readonly router: Router;
  readonly ports: Pick<
    RouterPorts,
    'catalogue' | 'local' | 'cloud' | 'speeds' | 'ledger' | 'clock' | 'newId'
  >;
  readonly settings: () => Settings;
  /** `undefined` lets everybody in who reaches the port: for a local trial. */
  readonly token: string | undefined;
  /** Names, without port, that a Host may have. @default the loopback names */
  readonly allowedHosts?: readonly string[];
  readonly version: string;
  readonly limits?: Partial<ApiLimits>;
  /** What `GET /metrics` says; without it there is no such call. */
  readonly metrics?: { readonly contentType: string; text(): Promise<string> };
  /** Told of what should never happen; the client is told only that something did. */
  readonly onDefect?: (error: unknown) => void;
}

export interface Api {
  fetch(request: Request): Promise<Response>;
  /** Whether a token is asked for. */
  readonly secured: boolean;
}

export function createApi(deps: ApiDeps): Api {
  const { router, ports, token, allowedHosts = LOOPBACK_HOSTS, onDefect = () => undefined } = deps;
  const limits = { ...DEFAULT_LIMITS, ...deps.limits };
  const slots = createSlots(limits.concurrent);
  const friends = createMeter(limits.rate, ports.clock.monotonicMs);
  const strangers = createMeter(limits.strangerRate, ports.clock.monotonicMs);
  const registry = () => ports.catalogue.registry();
  /** Clients of OpenAI look for its own fields in a refusal. */
  const refuse = (problem: Problem, path: string) =>
    (path.startsWith('/v1/') ? openaiProblemResponse : problemResponse)(problem, registry());

  const app = new OpenAPIHono<RequestState>({
    defaultHook: (result, c) =>
      result.success ? undefined : refuse(problemOfIssues(result.error.issues), c.req.path),
  });
  app.notFound((c) => refuse(notFound, c.req.path));
  app.onError((error, c) => {
    const known = error instanceof HTTPException ? byStatus.get(error.status) : undefined;
    if (known !== undefined) return refuse(known, c.req.path);
    onDefect(error);
    return refuse(internalProblem, c.req.path);
  });

  app.use(async (c, next) => {
    await next();
    c.res.headers.set('cache-control', 'no-store');
    c.res.headers.set('x-content-type-options', 'nosniff');
    c.res.headers.set('referrer-policy', 'no-referrer');
  });
  app.use(async (c, next) => {
    const foreign = hostProblem(c.req.raw, allowedHosts);
    // Whoever only looks whether the server is up must hear so in any rush.
    if (foreign === undefined && c.req.path === '/health') return await next();
    const problem = foreign ?? tokenProblem(c.req.raw, c.req.path, token);
    const over = (problem === undefined ? friends : strangers).count();
    if (over !== undefined) return refuse(tooMany(over.waitMs), c.req.path);
    return problem === undefined ? await next() : refuse(problem, c.req.path);
  });
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed: (c, methods) => refuse(wrongMethod(methods), c.req.path),
    }),
  );
  app.on('POST', ['/generate', '/route', ...OPENAI_ANSWERS], async (c, next) => {
    const leave = slots.enter();
    if (leave === undefined) return refuse(tooBusy, c.req.path);
    c.set('leave', leave);
    try {
      c.set('client', c.req.raw);
      const body = await readBody(c.req, limits.bodyBytes);
      if (body.kind === 'refused') return refuse(body.problem, c.req.path);
      const tooDeep = nestingProblem(body.text);
      if (tooDeep !== undefined) return refuse(tooDeep, c.req.path);
      await next();
    } finally {
      // A stream goes on after this and leaves by itself.
      if (!isEventStream(c.res)) leave();
    }
    return undefined;
  });

  const { metrics } = deps;
  if (metrics !== undefined) {
    app.get('/metrics', async (c) =>
      c.body(await metrics.text(), 200, { 'content-type': metrics.contentType }),
    );
  }
  app.openapi(routes.generate, async (c) => {
    const request: GenerateRequest = c.req.valid('json');
    const asked = promptOf(request, registry(), ports.newId);
    if (asked.kind === 'refused') return refuse(asked.problem, c.req.path);
    const call = {
      prompt: asked.prompt,
      dryRun: request.dry_run ?? false,
      stream: request.stream === true || acceptsEvents(c.req.header('accept')),
      signal: c.get('client').signal,
      onStreamEnd: c.get('leave'),
    };
    return await generate(call, { router, registry: registry(), stalledMs, onDefect });
  });
  app.openapi(routes.legacy, async (c) => {
    const request = c.req.valid('json');
    const tooLong = lengthProblem(request);
    if (tooLong !== undefined) return refuse(tooLong, c.req.path);
    const prompt = legacyPrompt(request, ports.newId());
    const decision = await router.decide(prompt);
    if (decision.kind === 'refused') return refuse(refusalOf(decision), c.req.path);
    return jsonReply(legacyReplyOf(decision.route, prompt));
  });
  const { stalledMs } = limits;
  addOpenaiCalls(app, { router, ports, registry, stalledMs, onDefect });
  app.openapi(routes.spend, async () =>
    jsonReply(spendReplyOf(await router.spend(), roles().baseline)),
  );
  app.openapi(routes.models, async () => jsonReply(await modelsOf(ports, roles())));
  app.openapi(routes.health, () => jsonReply({ status: 'ok', version: deps.version }));
  let described: ReturnType<typeof description> | undefined;
  const document = () => (described ??= description());
  app.openapi(routes.openapi, () => jsonReply(document()));
  app.openapi(routes.docs, () => docsPage(document()));

  describeParts(app);
  return { secured: token !== undefined, fetch: async (request) => await app.fetch(request) };

  function roles(): Roles {
    const { cheap, escalation, baseline } = deps.settings();
    const { defaults } = registry();
    return {
      cheap: cheap ?? defaults.cheap,
      escalation: escalation ?? defaults.escalation,
      baseline: baseline ?? defaults.baseline,
    };
  }

  function description() {
    return app.getOpenAPI31Document({
      openapi: '3.1.0',
      info: {
        title: 'Cost-Aware Router',
        version: deps.version,
        description:
          'Answers with the cheapest plan that is good enough, holds the worst case of each call against your limit, and always says why. Unknown is null, never 0.',
        license: { name: 'MIT' },
      },
    });
  }
}

/** Events travel as text, so no operation refers to their shapes; a reader of the document wants them all the same. */
function describeParts(app: OpenAPIHono<RequestState>): void {
  for (const [name, schema] of Object.entries(ownEvents)) {
    app.openAPIRegistry.register(`event_${name}`, schema);
  }
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    description: 'The token in the file api-token of the data directory.',
  });
  app.openAPIRegistry.registerComponent('securitySchemes', 'page', {
    type: 'http',
    scheme: 'basic',
    description: 'For a browser: any name, and the token as the password.',
  });
}

function acceptsEvents(accept: string | undefined): boolean {
  return accept?.split(',').some((type) => /^\s*text\/event-stream\s*(;|$)/i.test(type)) ?? false;
}

function isEventStream(response: Response): boolean {
  return response.headers.get('content-type')?.startsWith('text/event-stream') ?? false;
}

const notFound: Problem = {
  code: 'not_found',
  message: 'expected a known path, got another; GET /docs lists them',
};

/** What the validation in front of the handlers throws, by its status. */
const byStatus: ReadonlyMap<number, Problem> = new Map([
  [400, { code: 'invalid_json', message: 'expected a body of valid JSON, got something else' }],
  [
    415,
    {
      code: 'unsupported_media_type',
      message: 'expected Content-Type: application/json, got another or none',
    },
  ],
]);

function wrongMethod(methods: readonly string[]): Problem {
  return {
    code: 'method_not_allowed',
    message: `expected ${methods.join(' or ')} on this path, got another method`,
    headers: { allow: methods.join(', ') },
  };
}
