import type { Command } from 'commander';
import { httpUrl, wholeNumber, withExamples, withJson } from '../command-line/arguments.js';

/** `doctor`. */
export function registerDoctor(program: Command): void {
  const doctor = program
    .command('doctor')
    .description(
      'check a receiver of webhooks by some ten test requests: does it take what is signed, and nothing else?',
    )
    .argument('<url>', 'address of the receiver', httpUrl)
    .option('--secret-file <path>', 'signing secret of the subscription, read from a file; "-" for standard input')
    .option('--secret <whsec>', 'the same on the command line, where other users of the machine may see it')
    .option('--ca <path>', 'authorities trusted beside the usual ones, PEM')
    .option('--timeout <seconds>', 'limit of each request, all of it', wholeNumber(1, 30), 15)
    .addHelpText(
      'after',
      '\nThe requests are events of type io.tocsin.receiver.test with data.test = true. The secret is also read from\nTOCSIN_WEBHOOK_SECRET.',
    );
  withExamples(
    withJson(doctor),
    'tocsin doctor https://hooks.example.net/tocsin --secret-file secret.txt',
    'tocsin subscriptions rotate-secret me --overlap 0s | tocsin doctor http://127.0.0.1:9000/ --secret-file -',
  ).action(
    async (
      url: string,
      options: { secretFile?: string; secret?: string; ca?: string; timeout: number; json?: boolean },
    ) => {
      const { doctor: run } = await import('./doctor-command.js');
      await run(url, options);
    },
  );
}
