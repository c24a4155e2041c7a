/** `serve`: the REST edge in this process until a signal ends it. */
import { once } from 'node:events';
import { ensureToken } from '../http/apiToken.ts';
import { exitCodes } from './exitCodes.ts';
import { writeLine } from './io.ts';
import { badInput, type Session, withApp } from './session.ts';

export interface ServeFlags {
  readonly port: number;
  readonly host: string;
  readonly auth: boolean;
  readonly allowRemote?: boolean;
}

