import { createInterface } from 'node:readline';

/** Where somebody is asked. */
export interface Terminal {
  input: NodeJS.ReadableStream;
  output: NodeJS.WritableStream;
}

/** Asks, and waits for an answer. Anything but `yes` is no, and so are Ctrl-C, Ctrl-D and a terminal that goes. */
export function agrees(question: string, { input, output }: Terminal): Promise<boolean> {
  const terminal = createInterface({ input, output });
  return new Promise((resolve) => {
    terminal.once('close', () => {
      output.write('\n');
      resolve(false);
    });
    terminal.question(question, (answer) => {
      terminal.removeAllListeners('close');
      terminal.close();
      resolve(answer.trim() === 'yes');
    });
  });
}
