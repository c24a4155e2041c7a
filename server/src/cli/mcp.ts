/** `mcp`: the tools for agents over stdin and stdout, until the client leaves. */
import { once } from 'node:events';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { createMcpServer } from '../mcp/mcpServer.ts';
import { exitCodes } from './exitCodes.ts';
import { type Session, withApp } from './session.ts';

export async function mcp(session: Session): Promise<number> {
  const { io } = session;
  return await withApp(session, async (app) => {
    const { router, ports } = app;
    const server = createMcpServer({ router, ports, budget: app.budget, version: io.version });
    const { stdin, stdout } = io;
    const left = once(stdin, 'end', { signal: io.signal }).catch(() => undefined);
    await server.connect(new StdioServerTransport(stdin, stdout));
    // A client that ends its side of the pipe has no more to ask.
    await left;
    await server.close();
    return exitCodes.ok;
  });
}
