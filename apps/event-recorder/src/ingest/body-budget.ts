import type { IncomingMessage, ServerResponse } from 'node:http';
import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { BODY_LIMIT_BYTES } from '@tocsin/platform';
import { AppendGate } from '../append/append-gate.js';

/** Injects the gate of the bodies in hand. */
export const BODY_GATE = Symbol('gate of request bodies');

/**
 * Bounds the bodies that are being read or worked on at a time: ten thousand producers with a mebibyte each must be told to come back
 * before their bodies are in memory. As a guard it runs before the body is read.
 */
@Injectable()
export class BodyBudget implements CanActivate {
  constructor(@Inject(BODY_GATE) private readonly gate: AppendGate) {}

  /** @throws TocsinError `TCN_OVERLOADED` */
  canActivate(context: ExecutionContext): boolean {
    const http = context.switchToHttp();
    const announced = Number(http.getRequest<IncomingMessage>().headers['content-length'] ?? BODY_LIMIT_BYTES);
    const bytes = Math.min(Number.isNaN(announced) ? BODY_LIMIT_BYTES : announced, BODY_LIMIT_BYTES);
    const leave = this.gate.enter({ events: 1, bytes });
    http.getResponse<ServerResponse>().once('close', leave);
    return true;
  }
}
