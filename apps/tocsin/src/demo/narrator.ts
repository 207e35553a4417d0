import type { ReceivedWebhook } from './demo-receiver.js';

const COLOUR = process.stdout.isTTY && process.env['NO_COLOR'] === undefined;

function paint(code: number, text: string): string {
  return COLOUR ? `\u001b[${code}m${text}\u001b[0m` : text;
}

const bold = (text: string) => paint(1, text);
const dim = (text: string) => paint(2, text);
const red = (text: string) => paint(31, text);
const green = (text: string) => paint(32, text);

/** Tells the demo's story on the terminal. */
export class Narrator {
  #step = 0;

  title(text: string): void {
    console.log(`\n${bold(text)}\n`);
  }

  /** The next step of the story. */
  step(text: string): void {
    this.#step += 1;
    console.log(`${bold(`${this.#step}.`)} ${text}`);
  }

  line(text = ''): void {
    console.log(text === '' ? '' : `   ${text}`);
  }

  aside(text: string): void {
    console.log(dim(`   ${text}`));
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
    console.log(`${green('✔')} ${bold(text)}`);
  }
}
