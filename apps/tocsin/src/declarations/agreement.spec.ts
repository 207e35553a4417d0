import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { agrees } from './agreement.js';

describe('whoever is asked', () => {
  const answered = async (act: (input: PassThrough) => void): Promise<[boolean, string]> => {
    const [input, output] = [new PassThrough(), new PassThrough()];
    const agreed = agrees('Really? ', { input, output });
    act(input);
    return [await agreed, String(output.read())];
  };

  it('agrees by "yes" and by nothing else', async () => {
    expect(await answered((input) => input.write(' yes \n'))).toEqual([true, 'Really? ']);
    for (const answer of ['y', 'YES', 'no', '']) {
      expect(await answered((input) => input.write(`${answer}\n`))).toEqual([false, 'Really? ']);
    }
  });

  it('does not agree by going away', async () => {
    expect(await answered((input) => input.end())).toEqual([false, 'Really? \n']);
    expect(await answered((input) => input.end('yes'))).toEqual([false, 'Really? \n']);
  });
});
