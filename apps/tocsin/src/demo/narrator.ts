import { print } from '../command-line/output.js';
import { paint } from '../command-line/paint.js';
import type { ReceivedWebhook } from './demo-receiver.js';

const { bold, dim, red, green } = paint;

/** Tells the demo's story on the terminal. */
export class Narrator {
  #step = 0;

  title(text: string): void {
    print(`\n${bold(text)}\n`);
  }

  /** The next step of the story. */
  step(text: string): void {
    this.#step += 1;
    print(`${bold(`${this.#step}.`)} ${text}`);
  }

  line(text = ''): void {
    print(text === '' ? '' : `   ${text}`);
  }

  aside(text: string): void {
    print(dim(`   ${text}`));
  }

  /** A webhook as the receiver got it: headers, body, and that its signature holds. */
  webhook(webhook: ReceivedWebhook, tookMs: number): void {
    const { event, headers } = webhook;
    const colour = event.type.endsWith('.offline') ? red : green;
    this.line();
    this.line(
      `${colour('●')} ${bold(event.type)} ${event.subject}   ${dim(`received ${(tookMs / 1000).toFixed(1)} s later`)}`,
    );
    this.line();
    this.line(dim('POST /hook'));
    for (const [name, value] of Object.entries(headers)) this.line(dim(`${name}: ${value}`));
    this.line();
    for (const line of JSON.stringify(event, null, 2).split('\n')) this.line(line);
    this.line();
    this.fact('signature verified by the standardwebhooks package');
  }

  /** Something that was checked and holds. */
  fact(text: string): void {
    this.line(`${green('✔')} ${text}`);
  }

  done(text: string): void {
    print(`${green('✔')} ${bold(text)}`);
  }
}
